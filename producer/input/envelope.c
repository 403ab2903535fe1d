/* envelope.c - finds the members first, then makes each part of the record of the members about
 * it. */
#include "envelope_parts.h"
#include "text/json.h"
#include <errno.h>
#include <string.h>

static int find_members(struct reading *r, const struct js_value *object)
{
    struct js_value name, value;
    size_t at = 0;

    while (js_next(object, &at, &name, &value)) {
        for (int i = 0; i < MEMBER_CNT; i++) {
            if (!js_is(&name, envelope_members[i]))
                continue;
            if (envelope_has(r, (enum member)i))
                return REFUSE(r, name.text, "\"%s\" occurs twice", envelope_members[i]);
            if (value.kind != JS_NULL)
                r->member[i] = value;
            break;
        }
    }
    return 0;
}

/* ---- key, headers, time ---- */

static int read_key(struct reading *r)
{
    struct bytes key;
    int status = envelope_want(r, KEY, JS_STRING, "a string or null");

    if (!status)
        status = envelope_want(r, KEY_BASE64, JS_STRING, "a string");
    if (status || !envelope_has(r, KEY))
        return status;
    status = envelope_decode_exact(r, &r->member[KEY], &r->member[KEY_BASE64], &key);
    if (status)
        return status;
    r->out->key = key.text;
    r->out->key_len = key.len;
    return 0;
}

/* The exact form of a header: a pair of name and value at the header's position. It is used if
 * it agrees with the plain form. */
static int read_exact_header(struct reading *r, const struct js_value *pair, struct bytes *name,
                             struct bytes *value)
{
    struct js_value first = {0}, second = {0};
    struct bytes exact_name, exact_value;
    size_t at = 0;
    int status;

    if (pair->kind != JS_ARRAY || !js_next(pair, &at, NULL, &first) ||
        !js_next(pair, &at, NULL, &second) || first.kind != JS_STRING || second.kind != JS_STRING)
        return REFUSE(r, pair->text, "not a pair of a name and a value in base64");
    if ((status = envelope_decode_base64(r, &first, &exact_name)) ||
        (status = envelope_decode_base64(r, &second, &exact_value)))
        return status;
    if ((status = envelope_says(exact_name, *name)) <= 0 ||
        (status = envelope_says(exact_value, *value)) <= 0)
        return status;
    *name = exact_name;
    *value = exact_value;
    return 0;
}

static int add_header(struct reading *r, const struct js_value *where, char *block, size_t cap,
                      struct bytes name, struct bytes value)
{
    ssize_t used;

    if (name.len < 1 || name.len > 255 || memchr(name.text, '\0', name.len))
        return REFUSE(r, where->text, "a header's name has 1 to 255 bytes, none of them NUL");
    ((char *)name.text)[name.len] = '\0'; /* decoding leaves room */
    used = mr_header_add(block, r->out->headers_len, cap, name.text, value.text, value.len);
    if (used < 0)
        return REFUSE(r, where->text, "the headers are more than %u bytes", MR_HEADERS_MAX);
    r->out->headers_len = (size_t)used;
    return 0;
}

static int read_headers(struct reading *r)
{
    const struct js_value *object = &r->member[HEADERS], *pairs = &r->member[HEADERS_BASE64];
    struct js_value name, value, pair;
    struct bytes name_text, text;
    /* a header takes no more than its JSON */
    size_t at = 0, pairs_at = 0, cap = object->len + pairs->len;
    char *block;
    int status = envelope_want(r, HEADERS, JS_OBJECT, "an object");

    if (!status)
        status = envelope_want(r, HEADERS_BASE64, JS_ARRAY, "an array");
    if (status || !envelope_has(r, HEADERS))
        return status;
    if (!(block = arena_take(r->arena, cap)))
        return -ENOMEM;
    r->out->headers = block;
    while (!status && js_next(object, &at, &name, &value)) {
        if (value.kind != JS_STRING)
            return REFUSE(r, value.text, "a header's value is not a string");
        status = envelope_decode(r, &name, &name_text);
        if (!status)
            status = envelope_decode(r, &value, &text);
        if (!status && pairs->text && js_next(pairs, &pairs_at, NULL, &pair))
            status = read_exact_header(r, &pair, &name_text, &text);
        if (!status)
            status = add_header(r, &name, block, cap, name_text, text);
    }
    return status;
}

static int read_number(struct reading *r, enum member what, uint64_t *out)
{
    if (!envelope_has(r, what) || js_to_uint(&r->member[what], out) == 0)
        return 0;
    return REFUSE(r, r->member[what].text, "\"%s\" is not a whole number from 0",
                  envelope_members[what]);
}

/* ---- values ---- */

static size_t line_ends_behind(struct bytes text)
{
    size_t n = 0;

    while (n < text.len &&
           (text.text[text.len - 1 - n] == '\n' || text.text[text.len - 1 - n] == '\r'))
        n++;
    return n;
}

/* The line end of raw after the value. raw ends in the line ends of the value, then its own; the
 * text before may be written differently. */
static uint16_t line_end(struct bytes raw, struct bytes value)
{
    size_t of_raw = line_ends_behind(raw), of_value = line_ends_behind(value);

    if (of_raw == of_value)
        return MR_EOL_NONE;
    if (of_raw == of_value + 1 && raw.text[raw.len - 1] == '\n')
        return MR_EOL_LF;
    return envelope_cut_line_end(&raw); /* two more bytes, or the value was edited */
}

static int read_text(struct reading *r, const struct bytes *raw)
{
    struct bytes value;
    int status = envelope_decode_exact(r, &r->member[VALUE], &r->member[VALUE_BASE64], &value);

    if (status)
        return status;
    r->out->value = value.text;
    r->out->value_len = value.len;
    if (raw->text)
        r->out->flags = line_end(*raw, value);
    return 0;
}

static int read_row(struct reading *r, const struct bytes *raw)
{
    struct bytes exact = {0};
    int status;

    if (envelope_has(r, VALUE_BASE64)) {
        if ((status = envelope_decode_base64(r, &r->member[VALUE_BASE64], &exact)))
            return status;
        if (raw->text)
            r->out->flags = line_end(*raw, exact);
    } else if (raw->text) {
        exact = *raw;
        r->out->flags = envelope_cut_line_end(&exact);
    }
    return envelope_row(r, &exact);
}

static int read_value(struct reading *r)
{
    const struct js_value *value = &r->member[VALUE];
    struct bytes raw = {0};
    int status = envelope_want(r, RAW, JS_STRING, "a string");

    if (!status)
        status = envelope_want(r, VALUE_BASE64, JS_STRING, "a string");
    if (!status && envelope_has(r, RAW))
        status = envelope_decode(r, &r->member[RAW], &raw);
    if (status)
        return status;
    switch (envelope_has(r, VALUE) ? value->kind : JS_NULL) {
    case JS_STRING:
        return read_text(r, &raw);
    case JS_OBJECT:
        return read_row(r, &raw);
    case JS_NUMBER:
    case JS_TRUE:
    case JS_FALSE:
        r->out->value = value->text;
        r->out->value_len = value->len;
        return 0;
    default:
        return REFUSE(r, envelope_has(r, VALUE) ? value->text : r->line,
                      "an envelope has a \"value\": a string, or an object for a row of CSV");
    }
}

/* ---- */

int envelope_read(const char *line, size_t len, struct envelope_columns *columns,
                  struct arena *arena, struct envelope *out, struct envelope_fault *fault)
{
    struct reading r = {
        .line = line, .arena = arena, .columns = columns, .out = out, .fault = fault};
    struct js_value object;
    struct js_fault wrong;
    int status;

    *out = (struct envelope){.partition = ENVELOPE_PARTITION_NONE};
    if (js_parse(line, len, &object, &wrong))
        return REFUSE(&r, line + wrong.at, "not JSON: %s", wrong.reason);
    if (object.kind != JS_OBJECT)
        return REFUSE(&r, object.text, "not an envelope: not a JSON object");
    status = find_members(&r, &object);
    if (!status)
        status = read_key(&r);
    if (!status)
        status = read_headers(&r);
    if (!status)
        status = read_number(&r, TS, &out->ts_ns);
    if (!status)
        status = read_number(&r, PARTITION, &out->partition);
    if (!status)
        status = read_value(&r);
    if (status)
        envelope_columns_free(&r.found);
    else if (r.found.line)
        *columns = r.found;
    return status;
}
