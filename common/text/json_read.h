/* json_read.h - a strict reader of JSON text (RFC 8259) that lies in memory: checked as a whole first, then looked at in place.
 *
 *     struct mr_json_value object, name, value;
 *     size_t at = 0;
 *     if (mr_json_parse(text, len, &object, &fault) == 0 && object.kind == MR_JSON_OBJECT)
 *         while (mr_json_next(&object, &at, &name, &value))
 *             if (mr_json_is(&name, "records"))
 *                 error = mr_json_to_uint(&value, &records);
 *
 * Strict: UTF-8 only, no byte order mark, no lone surrogates, nothing after the value but white space. Nothing is allocated, nothing recurses;
 * brackets may be MR_JSON_DEPTH_MAX deep. Names that occur twice are the caller's affair. json.h writes JSON. */
#ifndef MR_JSON_READ_H
#define MR_JSON_READ_H

#include <stddef.h>
#include <stdint.h>

#define MR_JSON_DEPTH_MAX 256

enum mr_json_kind { MR_JSON_NULL, MR_JSON_FALSE, MR_JSON_TRUE, MR_JSON_NUMBER, MR_JSON_STRING, MR_JSON_ARRAY, MR_JSON_OBJECT };

struct mr_json_value {
    enum mr_json_kind kind;
    const char *text; /* as it stands; a string without its quotes, still escaped; an array or object with its brackets */
    size_t len;
};

struct mr_json_fault {
    size_t at;          /* of the first byte that is wrong; == len: more was expected */
    const char *reason; /* static: "a ':' is missing" */
};

/* mr_json_parse checks that text is one JSON value. Returns 0 with *out set, else, with *fault set,
 * -EINVAL; -EOVERFLOW brackets are deeper than MR_JSON_DEPTH_MAX, so that it is not known what
 * comes after. */
int mr_json_parse(const char *text, size_t len, struct mr_json_value *out, struct mr_json_fault *fault);

/* mr_json_next steps through an array (name is untouched, and may be NULL) or object that mr_json_parse or mr_json_next gave; *at is 0 at first.
 * Returns 1, or 0 after the last. */
int mr_json_next(const struct mr_json_value *container, size_t *at, struct mr_json_value *name, struct mr_json_value *value);

/* mr_json_is: 1 if a string says exactly this text, escapes resolved. */
int mr_json_is(const struct mr_json_value *string, const char *text);
/* mr_json_unescape writes what a string stands for to out (cap >= string->len; may not overlap). Returns its length, never more than string->len. */
size_t mr_json_unescape(const struct mr_json_value *string, char *out);
/* mr_json_unbase64 decodes in place what mr_json_unescape wrote (RFC 4648, padded, nothing else between). Returns 0 with *out_len set, or -EINVAL. */
int mr_json_unbase64(char *text, size_t len, size_t *out_len);
/* mr_json_to_uint: 0; -EINVAL not a number of digits only; -ERANGE above UINT64_MAX. */
int mr_json_to_uint(const struct mr_json_value *value, uint64_t *out);

#endif
