/* where_program.h - what an expression is compiled to; where_parse.c makes it, where.c runs it. */
#ifndef CONSUMER_WHERE_WHERE_PROGRAM_H
#define CONSUMER_WHERE_WHERE_PROGRAM_H

#include "decimal.h"
#include "where.h"

#include <regex.h>

enum operand_kind {
    OPERAND_NUMBER,
    OPERAND_STRING, /* in quotes: never a number */
    OPERAND_NULL,
    OPERAND_TOPIC,
    OPERAND_PARTITION,
    OPERAND_OFFSET,
    OPERAND_TS,
    OPERAND_KEY,
    OPERAND_TRY,
    OPERAND_VALUE,
    OPERAND_HEADER, /* text is its name */
    OPERAND_FIELD,  /* text is the column's name; or, through its parts, the way to a member */
};

struct operand {
    enum operand_kind kind;
    size_t at; /* in the expression */
    const char *text;
    size_t len;
    struct decimal number; /* NUMBER */
    size_t part, part_cnt; /* FIELD: parts [part, part + part_cnt) of the program */
    size_t field;          /* FIELD: which one, counted from 0 */
};

enum comparison {
    COMPARE_EQ,
    COMPARE_NE,
    COMPARE_LT,
    COMPARE_LE,
    COMPARE_GT,
    COMPARE_GE,
    COMPARE_MATCH,
    COMPARE_TRUTH
};

struct test {
    enum comparison how;
    size_t left, right; /* operands; right: not for MATCH and TRUTH */
    regex_t *regex;     /* MATCH */
};

/* There is one truth, that of the last test. && and || jump over their right side when it is
 * settled. */
enum step_kind { STEP_TEST, STEP_NOT, STEP_JUMP_FALSE, STEP_JUMP_TRUE };

struct step {
    enum step_kind kind;
    size_t arg; /* the test, or the step to go on with */
};

struct where {
    char *store; /* what texts and parts point into */
    struct operand *operand;
    size_t operand_cnt;
    const char **part; /* each ends in NUL */
    size_t part_cnt;
    struct test *test;
    size_t test_cnt;
    struct step *step;
    size_t step_cnt;
    size_t field_cnt;
};

#endif
