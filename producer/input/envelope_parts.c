/* envelope_parts.c - the members' names, refusals, and the bytes that a JSON string encodes. */
#include "envelope_parts.h"
#include "text/json.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const envelope_members[MEMBER_CNT] = {
    [VALUE] = "value",
    [VALUE_BASE64] = "value_base64",
    [RAW] = "raw",
    [KEY] = "key",
    [KEY_BASE64] = "key_base64",
    [HEADERS] = "headers",
    [HEADERS_BASE64] = "headers_base64",
    [TS] = "ts",
    [PARTITION] = "partition",
    [COLUMNS] = "columns",
    [COLUMNS_BASE64] = "columns_base64",
    [SEP] = "sep",
    [QUOTES] = "quotes",
};

void envelope_note(const struct reading *r, const char *at, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(r->fault->reason, sizeof(r->fault->reason), format, args);
    va_end(args);
    r->fault->byte = (size_t)(at - r->line) + 1;
}

int envelope_want(struct reading *r, enum member what, enum js_kind kind, const char *kind_name)
{
    if (!envelope_has(r, what) || r->member[what].kind == kind)
        return 0;
    return REFUSE(r, r->member[what].text, "\"%s\" is not %s", envelope_members[what], kind_name);
}

int envelope_decode(struct reading *r, const struct js_value *string, struct bytes *out)
{
    char *to = arena_take(r->arena, string->len + 1);

    if (!to)
        return -ENOMEM;
    *out = (struct bytes){to, js_unescape(string, to)};
    return 0;
}

int envelope_decode_base64(struct reading *r, const struct js_value *string, struct bytes *out)
{
    char *to = arena_take(r->arena, string->len + 1);
    size_t len;

    if (!to)
        return -ENOMEM;
    len = js_unescape(string, to);
    if (js_unbase64(to, len, &len))
        return REFUSE(r, string->text, "not base64");
    *out = (struct bytes){to, len};
    return 0;
}

/* See envelope_parts.h. */
int envelope_says(struct bytes bytes, struct bytes plain)
{
    struct js_writer json;
    struct js_value string = {.kind = JS_STRING};
    char *text;
    int same;

    if (js_is_utf8(bytes.text, bytes.len))
        return bytes.len == plain.len && memcmp(bytes.text, plain.text, plain.len) == 0;
    js_init(&json, NULL, 0);
    js_escape(&json, bytes.text, bytes.len);
    string.text = json.text;
    string.len = json.len;
    text = json.failed ? NULL : malloc(json.len);
    same = text
               ? js_unescape(&string, text) == plain.len && memcmp(text, plain.text, plain.len) == 0
               : -ENOMEM;
    free(text);
    js_free(&json);
    return same;
}

/* The exact form may be in another member. */
int envelope_decode_exact(struct reading *r, const struct js_value *plain,
                          const struct js_value *base64, struct bytes *out)
{
    struct bytes exact = {0};
    int status = envelope_decode(r, plain, out), same;

    if (status || !base64->text)
        return status;
    if ((status = envelope_decode_base64(r, base64, &exact)))
        return status;
    same = envelope_says(exact, *out);
    if (same > 0)
        *out = exact;
    return same < 0 ? same : 0;
}
