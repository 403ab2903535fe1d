/* where_parse.c - an expression's text into tests and jumps between them, by recursive descent. */
#include "consumer/position.h"
#include "where_program.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 200 /* brackets in brackets */

enum token { END, NUMBER, STRING, NAME, OPEN, CLOSE, NOT, AND, OR, COMPARISON };

struct parser {
    const char *text, *at; /* at: behind the token */
    enum token token;
    size_t token_at;
    enum comparison comparison;
    struct operand operand; /* NUMBER, STRING, NAME: what it is */
    char *to;               /* in the store, which is large enough for all that text can say */
    struct where *program;
    struct where_fault *fault;
    size_t depth;
};

/* ---- faults ---- */

__attribute__((format(printf, 3, 4))) static void note(const struct parser *p, size_t at,
                                                       const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(p->fault->reason, sizeof p->fault->reason, format, args);
    va_end(args);
    p->fault->at = at;
}
/* a macro, so that analyzers see which value it returns */
#define REFUSE(...) (note(__VA_ARGS__), -EINVAL)

/* ---- words ---- */

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Bytes from 0x80 are parts of letters. */
static int begins_name(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || (unsigned char)c >= 0x80;
}

static int in_name(char c)
{
    return begins_name(c) || is_digit(c) || c == '-';
}

/* p->at is on the opening quote. A backslash makes a quote, backslash or control character of what
 * follows; it stays before anything else, so that regular expressions need not be written with
 * two. */
static int read_string(struct parser *p)
{
    static const char letters[] = "nrt", meant[] = "\n\r\t";
    char quote = *p->at, *from = p->to;
    for (p->at++; *p->at != quote; p->at++) {
        char byte = *p->at;
        if (byte == '\0')
            return REFUSE(p, p->token_at, "this quote never closes");
        if (byte == '\\' && p->at[1]) {
            const char *letter = strchr(letters, p->at[1]);
            if (letter || p->at[1] == quote || p->at[1] == '\\')
                byte = letter ? meant[letter - letters] : p->at[1];
            p->at += letter || p->at[1] == quote || p->at[1] == '\\';
        }
        *p->to++ = byte;
    }
    p->at++;
    *p->to++ = '\0';
    p->operand = (struct operand){
        .kind = OPERAND_STRING, .at = p->token_at, .text = from, .len = (size_t)(p->to - from) - 1};
    return 0;
}

static int read_number(struct parser *p)
{
    const char *from = p->at;
    p->at += *p->at == '-' || *p->at == '+';
    while (in_name(*p->at) || *p->at == '.' ||
           (*p->at == '+' && (p->at[-1] == 'e' || p->at[-1] == 'E')))
        p->at++;
    p->operand = (struct operand){
        .kind = OPERAND_NUMBER, .at = p->token_at, .text = p->to, .len = (size_t)(p->at - from)};
    memcpy(p->to, from, p->operand.len);
    p->to += p->operand.len;
    if (decimal_parse(p->operand.text, p->operand.len, &p->operand.number))
        return 0;
    return REFUSE(p, p->token_at,
                  "not a number (text goes in \"quotes\", a column's name that begins like one in "
                  "`backticks`)");
}

/* "@2026-11-21T06:00Z", as with -o: the number of nanoseconds that ts would be. */
static int read_time(struct parser *p)
{
    char word[48];
    struct position position;
    size_t len =
        strspn(p->at, "@0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:.+-");
    snprintf(word, sizeof word, "%.*s", (int)(len < sizeof word ? len : sizeof word), p->at);
    if (len >= sizeof word || position_parse(word, &position) < 0)
        return REFUSE(
            p, p->token_at,
            "not a time that exists; use @SECONDS or a time such as @2026-11-21T03:36:31Z");
    p->at += len;
    p->operand = (struct operand){.kind = OPERAND_NUMBER, .at = p->token_at, .text = p->to};
    int digits = snprintf(p->to, 24, "%" PRId64, position.arg);
    p->operand.len = (size_t)digits;
    p->to += p->operand.len;
    (void)decimal_parse(p->operand.text, p->operand.len, &p->operand.number);
    return 0;
}

/* One name, at p->at, into the store. *quoted: it was in backticks. */
static int read_part(struct parser *p, int *quoted)
{
    size_t at = (size_t)(p->at - p->text);
    p->program->part[p->program->part_cnt++] = p->to;
    *quoted = *p->at == '`';
    if (*quoted) {
        for (p->at++; *p->at != '`' || *++p->at == '`'; p->at++) {
            if (*p->at == '\0')
                return REFUSE(p, at, "this backtick never closes");
            *p->to++ = *p->at;
        }
    } else {
        while (in_name(*p->at))
            *p->to++ = *p->at++;
    }
    *p->to++ = '\0';
    return p->to - p->program->part[p->program->part_cnt - 1] > 1
               ? 0
               : REFUSE(p, at, "a name is missing");
}

/* What the name in the first part stands for, unless it is a column or member. */
static enum operand_kind own_name(const char *name)
{
    static const struct {
        const char *name;
        enum operand_kind kind;
    } own[] = {{"topic", OPERAND_TOPIC},   {"partition", OPERAND_PARTITION},
               {"offset", OPERAND_OFFSET}, {"ts", OPERAND_TS},
               {"key", OPERAND_KEY},       {"try", OPERAND_TRY},
               {"value", OPERAND_VALUE},   {"headers", OPERAND_HEADER},
               {"null", OPERAND_NULL},     {"true", OPERAND_STRING},
               {"false", OPERAND_STRING}};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (strcmp(own[i].name, name) == 0)
            return own[i].kind;
    return OPERAND_FIELD;
}

/* The parts [first, first + cnt) joined by dots: a column may be called that. */
static void join_parts(struct parser *p, size_t first, size_t cnt)
{
    char *from = p->to;
    for (size_t i = first; i < first + cnt; i++) {
        size_t len = strlen(p->program->part[i]);
        if (i > first)
            *p->to++ = '.';
        memcpy(p->to, p->program->part[i], len);
        p->to += len;
    }
    p->operand.text = from;
    p->operand.len = (size_t)(p->to - from);
    *p->to++ = '\0';
    p->operand.part = first;
    p->operand.part_cnt = cnt;
}

static int read_name(struct parser *p)
{
    size_t first = p->program->part_cnt, cnt = 0;
    int quoted, first_quoted = 0, error;
    do {
        p->at += cnt > 0; /* the dot */
        error = read_part(p, &quoted);
        if (error)
            return error;
        if (cnt++ == 0)
            first_quoted = quoted;
    } while (*p->at == '.');
    const char *word = p->program->part[first];
    enum operand_kind kind = first_quoted ? OPERAND_FIELD : own_name(word);
    p->operand = (struct operand){.kind = kind, .at = p->token_at};
    if (kind == OPERAND_HEADER && cnt == 1)
        return REFUSE(p, (size_t)(p->at - p->text), "which header? headers.NAME");
    if (kind == OPERAND_VALUE && cnt > 1)
        p->operand.kind = OPERAND_FIELD;
    else if (cnt > 1 && kind != OPERAND_FIELD && kind != OPERAND_HEADER)
        return REFUSE(p, p->token_at,
                      "%s has no parts; for a column or member of that name write value.%s...",
                      word, word);
    if (p->operand.kind == OPERAND_FIELD && kind == OPERAND_VALUE)
        join_parts(p, first + 1, cnt - 1);
    else if (kind == OPERAND_HEADER)
        join_parts(p, first + 1, cnt - 1);
    else
        join_parts(p, first, cnt);
    return 0;
}

/* An operator's two characters, or one. */
static int read_operator(struct parser *p)
{
    static const struct {
        const char *text;
        enum token token;
        enum comparison comparison;
    } operators[] = {
        {"==", COMPARISON, COMPARE_EQ},   {"!=", COMPARISON, COMPARE_NE},
        {"<=", COMPARISON, COMPARE_LE},   {">=", COMPARISON, COMPARE_GE},
        {"&&", AND, COMPARE_EQ},          {"||", OR, COMPARE_EQ},
        {"(", OPEN, COMPARE_EQ},          {")", CLOSE, COMPARE_EQ},
        {"<", COMPARISON, COMPARE_LT},    {">", COMPARISON, COMPARE_GT},
        {"~", COMPARISON, COMPARE_MATCH}, {"!", NOT, COMPARE_EQ},
    };
    static const struct {
        const char *text, *meant;
    } mistakes[] = {{"<>", "!="}, {"!~", "!(... ~ \"...\")"}, {"=~", "~"}, {"=", "=="}, {"&", "&&"},
                    {"|", "||"}};
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        size_t len = strlen(operators[i].text);
        if (strncmp(p->at, operators[i].text, len) != 0 || strncmp(p->at, "<>", 2) == 0 ||
            strncmp(p->at, "!~", 2) == 0)
            continue;
        p->at += len;
        p->token = operators[i].token;
        p->comparison = operators[i].comparison;
        return 0;
    }
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++)
        if (strncmp(p->at, mistakes[i].text, strlen(mistakes[i].text)) == 0)
            return REFUSE(p, p->token_at, "%s means nothing here (did you mean %s?)",
                          mistakes[i].text, mistakes[i].meant);
    return REFUSE(p, p->token_at,
                  "not understood (a column's name with such characters goes in `backticks`)");
}

static int next(struct parser *p)
{
    p->at += strspn(p->at, " \t\r\n");
    p->token_at = (size_t)(p->at - p->text);
    const char *c = p->at;
    if (*c == '\0') {
        p->token = END;
        return 0;
    }
    if (*c == '"' || *c == '\'') {
        p->token = STRING;
        return read_string(p);
    }
    if (begins_name(*c) || *c == '`') {
        p->token = NAME;
        return read_name(p);
    }
    if (*c == '@') {
        p->token = NUMBER;
        return read_time(p);
    }
    if (is_digit(*c) ||
        ((*c == '-' || *c == '+' || *c == '.') && (is_digit(c[1]) || (c[1] == '.' && *c != '.')))) {
        p->token = NUMBER;
        return read_number(p);
    }
    return read_operator(p);
}

/* ---- program ---- */

/* Makes room for one more element, in steps that are powers of two. Returns where it goes, zeroed,
 * or NULL. */
static void *grow(void *array, size_t *cnt, size_t size)
{
    void *elements;
    memcpy(&elements, array, sizeof elements);
    if ((*cnt & (*cnt - 1)) == 0) {
        void *more = realloc(elements, (*cnt ? *cnt * 2 : 1) * size);
        if (!more)
            return NULL;
        elements = more;
        memcpy(array, &elements, sizeof elements);
    }
    return memset((char *)elements + (*cnt)++ * size, 0, size);
}

static int add_operand(struct parser *p, size_t *out)
{
    struct where *program = p->program;
    struct operand *operand = grow(&program->operand, &program->operand_cnt, sizeof *operand);
    if (!operand)
        return -ENOMEM;
    *operand = p->operand;
    if (operand->kind == OPERAND_FIELD)
        operand->field = program->field_cnt++;
    *out = program->operand_cnt - 1;
    return 0;
}

static int add_step(struct parser *p, enum step_kind kind, size_t arg)
{
    struct where *program = p->program;
    struct step *step = grow(&program->step, &program->step_cnt, sizeof *step);
    if (!step)
        return -ENOMEM;
    *step = (struct step){kind, arg};
    return 0;
}

/* ---- grammar ---- */

static int parse_or(struct parser *p);

/* At an operator, where the string of a regular expression comes next. */
static int parse_regex(struct parser *p, struct test *test)
{
    char reason[120];
    int error = next(p);
    if (error)
        return error;
    if (p->token != STRING)
        return REFUSE(p, p->token_at, "behind ~ comes a regular expression in quotes");
    test->regex = malloc(sizeof *test->regex);
    if (!test->regex)
        return -ENOMEM;
    error = regcomp(test->regex, p->operand.text, REG_EXTENDED | REG_NOSUB);
    if (error) {
        regerror(error, test->regex, reason, sizeof reason);
        free(test->regex);
        test->regex = NULL;
        return error == REG_ESPACE ? -ENOMEM
                                   : REFUSE(p, p->token_at, "not a regular expression: %s", reason);
    }
    return next(p);
}

static int is_operand(enum token token)
{
    return token == NUMBER || token == STRING || token == NAME;
}

static int parse_test(struct parser *p)
{
    struct where *program = p->program;
    struct test *test = grow(&program->test, &program->test_cnt, sizeof *test);
    if (!test)
        return -ENOMEM;
    test->how = COMPARE_TRUTH;
    int error = add_operand(p, &test->left);
    if (!error)
        error = next(p);
    if (!error && p->token == COMPARISON) {
        test->how = p->comparison;
        if (test->how == COMPARE_MATCH) {
            error = parse_regex(p, test);
        } else {
            error = next(p);
            if (!error && !is_operand(p->token))
                error = REFUSE(p, p->token_at, "a number, a string in quotes or a name is missing");
            if (!error)
                error = add_operand(p, &test->right);
            if (!error)
                error = next(p);
        }
    }
    if (error)
        return error;
    if (p->token == COMPARISON)
        return REFUSE(p, p->token_at, "one comparison at a time; join two with &&");
    return add_step(p, STEP_TEST, program->test_cnt - 1);
}

static int parse_brackets(struct parser *p)
{
    size_t open = p->token_at;
    if (++p->depth > DEPTH_MAX)
        return REFUSE(p, open, "more than %d brackets deep", DEPTH_MAX);
    int error = next(p);
    if (!error)
        error = parse_or(p);
    if (error)
        return error;
    if (p->token == END)
        return REFUSE(p, open, "this bracket never closes");
    if (p->token != CLOSE)
        return REFUSE(p, p->token_at, "an operator is missing");
    p->depth--;
    error = next(p);
    if (!error && p->token == COMPARISON)
        return REFUSE(p, p->token_at, "brackets hold whole comparisons: (a > 1)");
    return error;
}

static int parse_factor(struct parser *p)
{
    int negated = 0, error = 0;
    for (; !error && p->token == NOT; error = next(p))
        negated = !negated;
    if (!error && p->token == OPEN)
        error = parse_brackets(p);
    else if (!error && is_operand(p->token))
        error = parse_test(p);
    else if (!error)
        error = REFUSE(p, p->token_at,
                       p->text[strspn(p->text, " \t\r\n")]
                           ? "a number, a string in quotes or a name is missing"
                           : "it is empty");
    if (!error && negated)
        error = add_step(p, STEP_NOT, 0);
    return error;
}

/* Operands of one operator: each but the last is followed by a jump to behind all of them, taken
 * when that settles it. */
static int parse_chain(struct parser *p, enum token operator, enum step_kind jump,
                       int (*parse)(struct parser *p))
{
    struct where *program = p->program;
    /* of the jumps that do not know yet where to: each holds the one before */
    size_t last = SIZE_MAX;
    int error = parse(p);
    while (!error && p->token == operator) {
        error = add_step(p, jump, last);
        last = program->step_cnt - 1;
        if (!error)
            error = next(p);
        if (!error)
            error = parse(p);
    }
    while (!error && last != SIZE_MAX) {
        size_t before = program->step[last].arg;
        program->step[last].arg = program->step_cnt;
        last = before;
    }
    return error;
}

static int parse_and(struct parser *p)
{
    return parse_chain(p, AND, STEP_JUMP_FALSE, parse_factor);
}

static int parse_or(struct parser *p)
{
    return parse_chain(p, OR, STEP_JUMP_TRUE, parse_and);
}

/* What stands where an operator should. */
static int refuse_rest(const struct parser *p)
{
    static const char *const words[][2] = {
        {"and", "&&"}, {"AND", "&&"}, {"or", "||"}, {"OR", "||"}};
    if (p->token == CLOSE)
        return REFUSE(p, p->token_at, "this bracket was never opened");
    if (p->token == NAME && p->operand.kind == OPERAND_FIELD)
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
            if (strcmp(p->operand.text, words[i][0]) == 0)
                return REFUSE(p, p->token_at, "an operator is missing (did you mean %s?)",
                              words[i][1]);
    return REFUSE(p, p->token_at, "an operator is missing before this");
}

int where_compile(const char *text, struct where **out, struct where_fault *fault)
{
    struct where *program = calloc(1, sizeof *program);
    size_t len = strlen(text);
    if (!program)
        return -ENOMEM;
    /* A name is there twice, in parts and joined; "@9" becomes ten digits. */
    program->store = malloc(len * 12 + 64);
    program->part = calloc(len + 1, sizeof *program->part);
    struct parser p = {
        .text = text, .at = text, .program = program, .to = program->store, .fault = fault};
    int error = program->store && program->part ? next(&p) : -ENOMEM;
    if (!error)
        error = parse_or(&p);
    if (!error && p.token != END)
        error = refuse_rest(&p);
    if (error) {
        where_free(program);
        return error;
    }
    *out = program;
    return 0;
}

void where_free(struct where *where)
{
    if (!where)
        return;
    for (size_t i = 0; i < where->test_cnt; i++) {
        if (where->test[i].regex)
            regfree(where->test[i].regex);
        free(where->test[i].regex);
    }
    free(where->store);
    free(where->operand);
    free(where->part);
    free(where->test);
    free(where->step);
    free(where);
}
