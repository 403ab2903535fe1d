/* where.c - an expression's columns found in a topic, and its tests run on records. */
#include "consumer/format/fields.h"
#include "text/csv.h"
#include "text/json_read.h"
#include "text/text.h"
#include "where_program.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* An expression bound to one topic, and what is known about the current record. */
struct where_bound {
    int has_columns;
    struct field_picker pick; /* a field for each name, if there are columns */
    uint64_t strangers;
    char *room; /* two texts without their quotes or escapes, each as long as a value */
    size_t room_each;
    /* of this record: */
    const char *topic;
    const struct mr_record *record;
    int looked; /* its fields are picked, or its JSON is checked */
    int is_object;
    struct js_value object;
};

struct value {
    const char *text; /* NULL: it is not there, or null */
    size_t len;
    int word; /* a string of the expression: no number, whatever it looks like */
    const struct decimal *number; /* known already */
    char digits[24];
};

/* ---- binding ---- */

int where_names(const struct where *where)
{
    return where->field_cnt > 0;
}

static int no_column(const struct columns *columns, const struct operand *operand,
                     struct where_fault *fault)
{
    fault->at = operand->at;
    columns_missing(columns, operand->text, fault->reason);
    return -ENOENT;
}

int where_bind(const struct where *where, const struct columns *columns, struct where_bound **out,
               struct where_fault *fault)
{
    struct where_bound *bound = calloc(1, sizeof *bound);
    if (!bound)
        return -ENOMEM;
    bound->has_columns = columns->line != NULL;
    int error = bound->has_columns
                    ? field_picker_init(&bound->pick, where->field_cnt, csv_sep(columns->flags))
                    : 0;
    for (size_t i = 0; i < where->operand_cnt && bound->has_columns && !error; i++) {
        const struct operand *operand = &where->operand[i];
        if (operand->kind != OPERAND_FIELD)
            continue;
        ssize_t column = columns_find(columns, operand->text, operand->len);
        if (column < 0)
            error = no_column(columns, operand, fault);
        else
            bound->pick.column[operand->field] = (size_t)column;
    }
    if (error) {
        where_unbind(bound);
        return error;
    }
    field_picker_ready(&bound->pick);
    *out = bound;
    return 0;
}

void where_unbind(struct where_bound *bound)
{
    if (!bound)
        return;
    field_picker_free(&bound->pick);
    free(bound->room);
    free(bound);
}

uint64_t where_strangers(const struct where_bound *bound)
{
    return bound->strangers;
}

/* ---- values ---- */

/* Room for a part of the value, for one side of a comparison; both are made at once, so that
 * neither moves while it is in use. */
static char *room_for(struct where_bound *bound, int right)
{
    size_t each = bound->record->value_len;
    if (!bound->room || each > bound->room_each) {
        char *room = realloc(bound->room, 2 * each + 1);
        if (!room)
            return NULL;
        bound->room = room;
        bound->room_each = each;
    }
    return bound->room + (right ? bound->room_each : 0);
}

static int get_field(struct where_bound *bound, const struct operand *operand, int right,
                     struct value *out)
{
    const struct mr_record *record = bound->record;
    if (!bound->looked)
        field_picker_take(&bound->pick, record->value, record->value_len);
    bound->looked = 1;
    const struct csv_field *field = &bound->pick.field[operand->field];
    out->text = field->text;
    out->len = field->len;
    if (!field->text || !field->quoted || !memchr(field->text, '"', field->len))
        return 0;
    char *room = room_for(bound, right);
    if (!room)
        return -ENOMEM;
    out->len = csv_unquote(field->text, field->len, room);
    out->text = room;
    return 0;
}

/* The number that part is, or SIZE_MAX: which element of an array. */
static size_t element(const char *part)
{
    size_t idx = 0;
    for (; *part >= '0' && *part <= '9' && idx < SIZE_MAX / 16; part++)
        idx = idx * 10 + (size_t)(*part - '0');
    return *part ? SIZE_MAX : idx;
}

/* One step down. Of members with the same name it is the last, as everywhere. Returns 1, or 0 when
 * there is no such part. */
static int descend(const struct js_value *from, const char *part, struct js_value *out)
{
    struct js_value name, value;
    size_t at = 0, idx = 0, wanted = from->kind == JS_ARRAY ? element(part) : SIZE_MAX;
    int found = 0;
    if (from->kind != JS_OBJECT && wanted == SIZE_MAX)
        return 0;
    for (; js_next(from, &at, &name, &value); idx++) {
        if (from->kind == JS_ARRAY ? idx != wanted : !js_is(&name, part))
            continue;
        *out = value;
        found = 1;
    }
    return found;
}

static int begins_object(const char *text, size_t len)
{
    while (len > 0 && (*text == ' ' || *text == '\t' || *text == '\n' || *text == '\r')) {
        text++;
        len--;
    }
    return len > 0 && *text == '{';
}

static int get_member(const struct where *where, struct where_bound *bound,
                      const struct operand *operand, int right, struct value *out)
{
    const struct mr_record *record = bound->record;
    struct js_fault fault;
    if (!bound->looked) {
        size_t bom = csv_bom(record->value, record->value_len); /* of the file's first line */
        const char *text = (const char *)record->value + bom;
        int error = js_parse(text, record->value_len - bom, &bound->object, &fault);
        if (error == -EOVERFLOW && begins_object(text, record->value_len - bom))
            return error;
        bound->is_object = error == 0 && bound->object.kind == JS_OBJECT;
        bound->strangers += !bound->is_object;
        bound->looked = 1;
    }
    struct js_value at = bound->object;
    int found = bound->is_object;
    for (size_t i = 0; i < operand->part_cnt && found; i++) {
        struct js_value below;
        found = descend(&at, where->part[operand->part + i], &below);
        if (found)
            at = below;
    }
    if (!found || at.kind == JS_NULL)
        return 0;
    out->text = at.text;
    out->len = at.len;
    if (at.kind != JS_STRING || !memchr(at.text, '\\', at.len))
        return 0;
    char *room = room_for(bound, right);
    if (!room)
        return -ENOMEM;
    out->len = js_unescape(&at, room);
    out->text = room;
    return 0;
}

/* The last header of that name, as in an object of JSON. */
static void get_header(const struct mr_record *record, const struct operand *operand,
                       struct value *out)
{
    struct mr_header header;
    size_t at = 0;
    while (mr_header_next(record->headers, record->headers_len, &at, &header) > 0) {
        if (header.name_len != operand->len ||
            memcmp(header.name, operand->text, header.name_len) != 0)
            continue;
        out->text = header.value;
        out->len = header.value_len;
    }
}

static void get_number(uint64_t number, struct value *out)
{
    char *at = out->digits + sizeof out->digits;
    do
        *--at = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    out->text = at;
    out->len = (size_t)(out->digits + sizeof out->digits - at);
}

/* right: the value is that of a right side, which must not be where that of the left side is.
 * Returns 0; -ENOMEM; -EOVERFLOW. */
static int get(const struct where *where, struct where_bound *bound, size_t idx, int right,
               struct value *out)
{
    const struct operand *operand = &where->operand[idx];
    const struct mr_record *record = bound->record;
    out->text = NULL;
    out->len = 0;
    out->word = 0;
    out->number = NULL;
    switch (operand->kind) {
    case OPERAND_NUMBER:
        out->number = &operand->number;
        break;
    case OPERAND_STRING:
        out->word = 1;
        break;
    case OPERAND_NULL:
        return 0;
    case OPERAND_TOPIC:
        out->text = bound->topic;
        out->len = strlen(bound->topic);
        return 0;
    case OPERAND_PARTITION:
        get_number(record->partition, out);
        return 0;
    case OPERAND_OFFSET:
        get_number(record->offset, out);
        return 0;
    case OPERAND_TS:
        get_number(record->ts_ns, out);
        return 0;
    case OPERAND_KEY:
        out->text = record->key;
        out->len = record->key_len;
        return 0;
    case OPERAND_TRY:
        get_number(record->try_number, out);
        return 0;
    case OPERAND_VALUE:
        out->text = record->value_len ? record->value : "";
        out->len = record->value_len;
        return 0;
    case OPERAND_HEADER:
        get_header(record, operand, out);
        return 0;
    case OPERAND_FIELD:
        return bound->has_columns ? get_field(bound, operand, right, out)
                                  : get_member(where, bound, operand, right, out);
    }
    out->text = operand->text;
    out->len = operand->len;
    return 0;
}

/* ---- tests ---- */

/* Returns 1 with the number that value looks like, else 0. */
static int as_number(const struct value *value, struct decimal *out)
{
    if (!value->number)
        return !value->word && decimal_parse(value->text, value->len, out);
    *out = *value->number;
    return 1;
}

static int compare(const struct value *a, const struct value *b)
{
    struct decimal x, y;
    if (as_number(a, &x) && as_number(b, &y))
        return decimal_compare(&x, &y);
    size_t len = a->len < b->len ? a->len : b->len;
    int sign = len ? memcmp(a->text, b->text, len) : 0;
    return sign ? sign : (a->len > b->len) - (a->len < b->len);
}

static int is_true(const struct value *value)
{
    static const struct decimal zero = {0};
    struct decimal number;
    if (!value->text || value->len == 0 ||
        (value->len == 5 && memcmp(value->text, "false", 5) == 0))
        return 0;
    return !as_number(value, &number) || decimal_compare(&number, &zero) != 0;
}

/* re_search is glibc's regexec for text with a length and no NUL. Text beyond 2 GiB is ignored. */
static int matches(const struct test *test, const struct value *value)
{
    regoff_t len = value->len < INT_MAX ? (regoff_t)value->len : INT_MAX;
    return re_search(test->regex, value->text, len, 0, len, NULL) >= 0;
}

/* Returns 1, 0, -ENOMEM or -EOVERFLOW. */
static int run_test(const struct where *where, struct where_bound *bound, const struct test *test)
{
    struct value left, right;
    int error = get(where, bound, test->left, 0, &left);
    if (error)
        return error;
    if (test->how == COMPARE_TRUTH)
        return is_true(&left);
    if (test->how == COMPARE_MATCH)
        return left.text && matches(test, &left);
    error = get(where, bound, test->right, 1, &right);
    if (error)
        return error;
    if (!left.text || !right.text) {
        int same = !left.text && !right.text;
        return test->how == COMPARE_EQ ? same : test->how == COMPARE_NE ? !same : 0;
    }
    int sign = compare(&left, &right);
    switch (test->how) {
    case COMPARE_EQ:
        return sign == 0;
    case COMPARE_NE:
        return sign != 0;
    case COMPARE_LT:
        return sign < 0;
    case COMPARE_LE:
        return sign <= 0;
    case COMPARE_GT:
        return sign > 0;
    default:
        return sign >= 0;
    }
}

int where_match(const struct where *where, struct where_bound *bound, const char *topic,
                const struct mr_record *record)
{
    int truth = 0;
    bound->topic = topic;
    bound->record = record;
    bound->looked = 0;
    for (size_t i = 0; i < where->step_cnt;) {
        const struct step *step = &where->step[i++];
        switch (step->kind) {
        case STEP_TEST:
            truth = run_test(where, bound, &where->test[step->arg]);
            if (truth < 0)
                return truth;
            break;
        case STEP_NOT:
            truth = !truth;
            break;
        default:
            if (truth == (step->kind == STEP_JUMP_TRUE))
                i = step->arg;
            break;
        }
    }
    return truth;
}

/* ---- faults ---- */

/* 1 if the byte stands for a place of its own on the screen: all but the later bytes of a
 * character. */
static int takes_place(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

const char *where_point(char buf[static 256], const char *text, const struct where_fault *fault)
{
    const size_t before_max = 48, all_max = 72;
    size_t len = strlen(text), from = fault->at > before_max ? fault->at - before_max : 0, used = 0,
           places = 0;
    while (from > 0 && from < len && !takes_place(text[from]))
        from++;
    size_t end = len - from > all_max ? from + all_max : len;
    while (end < len && end > from && !takes_place(text[end]))
        end--;
    buf[used++] = ' ';
    buf[used++] = ' ';
    for (size_t i = from, n; i < end; i += n) {
        char shown[4 * 72 + 1];
        for (n = 1; i + n < end && !takes_place(text[i + n]);)
            n++;
        /* Bytes that a message would escape become blanks, so that the caret stays in its place. */
        int plain = text_printable(shown, sizeof shown, text + i, n) == n &&
                    memcmp(shown, text + i, n) == 0;
        memcpy(buf + used, text + i, n);
        if (!plain)
            memset(buf + used, ' ', n);
        used += n;
        if (i < fault->at)
            places += plain ? 1 : n;
    }
    buf[used++] = '\n';
    for (size_t i = 0; i < places + 2; i++)
        buf[used++] = ' ';
    buf[used++] = '^';
    buf[used] = '\0';
    return buf;
}
