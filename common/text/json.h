/* json.h - a writer of JSON text (RFC 8259) into a growing or a fixed buffer, and two questions about bytes. It reads no JSON.
 *
 *     struct mr_json json;
 *     mr_json_init(&json, NULL, 0);
 *     mr_json_begin(&json, '{');
 *     mr_json_key(&json, "records");
 *     mr_json_uint(&json, 17);
 *     mr_json_end(&json, '}');
 *     mr_json_line(&json);                                            {"records":17}
 *     fwrite(json.text, 1, json.len, stdout);
 *     mr_json_free(&json);
 *
 * Commas are put where they belong; that brackets pair up and keys have values is the caller's affair. No call returns an error:
 * once memory or the fixed buffer is used up `failed` is set and nothing more is appended, so one look at the end is enough.
 * Bytes that are not UTF-8 become U+FFFD, one for each maximal part of a sequence (as the Unicode standard recommends). */
#ifndef MR_JSON_H
#define MR_JSON_H

#include <stddef.h>
#include <stdint.h>

struct mr_json {
    char *text;      /* not NUL-terminated */
    size_t len, cap; /* bytes used; room. A caller may append to text itself after mr_json_room, or set len back to 0 */
    int grows;       /* text is ours, from malloc */
    int comma;       /* the next value or key needs a comma before it */
    int failed;      /* no memory (or no room): the text is incomplete */
};

/* mr_json_init starts with an empty text. buf: cap bytes that are used as they are; NULL: grows, mr_json_free frees it. */
void mr_json_init(struct mr_json *json, void *buf, size_t cap);
void mr_json_free(struct mr_json *json);

/* mr_json_room makes sure that n more bytes fit. Returns where they go (text + len), or NULL, with failed set. */
char *mr_json_room(struct mr_json *json, size_t n);
/* mr_json_add appends bytes as they are, without a comma. */
void mr_json_add(struct mr_json *json, const void *bytes, size_t len);

void mr_json_begin(struct mr_json *json, char bracket); /* '{' or '[' */
void mr_json_end(struct mr_json *json, char bracket);   /* '}' or ']' */
void mr_json_line(struct mr_json *json);                /* ends the line; what follows starts afresh */

void mr_json_key(struct mr_json *json, const char *name); /* one of ours: nothing in it needs escaping */
void mr_json_key_bytes(struct mr_json *json, const void *name, size_t len);

void mr_json_text(struct mr_json *json, const char *text);                 /* a string; NULL: null */
void mr_json_string(struct mr_json *json, const void *bytes, size_t len);  /* a string */
void mr_json_base64(struct mr_json *json, const void *bytes, size_t len);  /* a string holding base64 (RFC 4648, padded) */
void mr_json_verbatim(struct mr_json *json, const char *text, size_t len); /* a value that is JSON already */
void mr_json_uint(struct mr_json *json, uint64_t number);
void mr_json_int(struct mr_json *json, int64_t number);
void mr_json_real(struct mr_json *json, double number, int decimals); /* null when not finite */
void mr_json_bool(struct mr_json *json, int truth);
void mr_json_null(struct mr_json *json);

/* mr_json_escape appends what mr_json_string writes between the quotes. */
void mr_json_escape(struct mr_json *json, const void *bytes, size_t len);

/* mr_json_is_number: 1 if all of text is a number by the grammar of JSON ("-0.5e3"; not "+1", "01", ".5", "1." or ""), else 0. */
int mr_json_is_number(const char *text, size_t len);
/* mr_json_is_utf8: 1 if bytes are well-formed UTF-8 (no overlong forms, no surrogates, nothing above U+10FFFF), else 0. */
int mr_json_is_utf8(const void *bytes, size_t len);

#endif
