/* json_read.h - a strict reader of JSON text (RFC 8259) that lies in memory: checked as a whole
 * first, then looked at in place.
 *
 *     struct js_value object, name, value;
 *     size_t at = 0;
 *     if (js_parse(text, len, &object, &fault) == 0 && object.kind == JS_OBJECT)
 *         while (js_next(&object, &at, &name, &value))
 *             if (js_is(&name, "records"))
 *                 error = js_to_uint(&value, &records);
 *
 * Strict: UTF-8 only, no byte order mark, no lone surrogates, nothing after the value but white
 * space. Nothing is allocated, nothing recurses; brackets may be JS_DEPTH_MAX deep. It does not
 * check that names occur once. json.h writes JSON. */
#ifndef COMMON_TEXT_JSON_READ_H
#define COMMON_TEXT_JSON_READ_H

#include <stddef.h>
#include <stdint.h>

#define JS_DEPTH_MAX 256

enum js_kind { JS_NULL, JS_FALSE, JS_TRUE, JS_NUMBER, JS_STRING, JS_ARRAY, JS_OBJECT };

struct js_value {
    enum js_kind kind;
    /* as it stands; a string without its quotes, still escaped; an array or object with its
     * brackets */
    const char *text;
    size_t len;
};

struct js_fault {
    size_t at;          /* of the first byte that is wrong; == len: more was expected */
    const char *reason; /* static: "a ':' is missing" */
};

/* js_parse checks that text is one JSON value. Returns 0 with *out set, else, with *fault set,
 * -EINVAL; -EOVERFLOW brackets are deeper than JS_DEPTH_MAX; the rest was not checked. */
int js_parse(const char *text, size_t len, struct js_value *out, struct js_fault *fault);

/* js_next steps through an array (name is untouched, and may be NULL) or object that js_parse or
 * js_next gave; *at is 0 at first.
 * Returns 1, or 0 after the last. */
int js_next(const struct js_value *container, size_t *at, struct js_value *name,
            struct js_value *value);

/* js_is: 1 if a string says exactly this text, escapes resolved. */
int js_is(const struct js_value *string, const char *text);
/* js_unescape writes what a string stands for to out (cap >= string->len; may not overlap). Returns
 * its length, never more than string->len. */
size_t js_unescape(const struct js_value *string, char *out);
/* js_unbase64 decodes in place what js_unescape wrote (RFC 4648, padded, nothing else between).
 * Returns 0 with *out_len set, or -EINVAL. */
int js_unbase64(char *text, size_t len, size_t *out_len);
/* js_to_uint: 0; -EINVAL not a number of digits only; -ERANGE above UINT64_MAX. */
int js_to_uint(const struct js_value *value, uint64_t *out);

#endif
