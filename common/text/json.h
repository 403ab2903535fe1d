/* json.h - a writer of JSON text (RFC 8259) into a growing or a fixed buffer, and two questions
 * about bytes. It reads no JSON.
 *
 *     struct js_writer json;
 *     js_init(&json, NULL, 0);
 *     js_begin(&json, '{');
 *     js_key(&json, "records");
 *     js_uint(&json, 17);
 *     js_end(&json, '}');
 *     js_line(&json);                                            {"records":17}
 *     fwrite(json.text, 1, json.len, stdout);
 *     js_free(&json);
 *
 * It writes the commas; the caller pairs the brackets and gives each key a value. No call returns
 * an error: once memory or the fixed buffer is used up, `failed` is set and nothing more is
 * appended, so the caller checks once, at the end. Bytes that are not UTF-8 become U+FFFD, one for
 * each maximal part of a sequence (as the Unicode standard recommends). */
#ifndef COMMON_TEXT_JSON_H
#define COMMON_TEXT_JSON_H

#include <stddef.h>
#include <stdint.h>

struct js_writer {
    char *text; /* not NUL-terminated */
    /* bytes used; room. A caller may append to text itself after js_room, or set len back to 0 */
    size_t len, cap;
    int grows;  /* text is ours, from malloc */
    int comma;  /* the next value or key needs a comma before it */
    int failed; /* no memory (or no room): the text is incomplete */
};

/* js_init starts with an empty text. buf: cap bytes that are used as they are; NULL: grows, js_free
 * frees it. */
void js_init(struct js_writer *json, void *buf, size_t cap);
void js_free(struct js_writer *json);

/* js_room makes sure that n more bytes fit. Returns where they go (text + len), or NULL, with
 * failed set. */
char *js_room(struct js_writer *json, size_t n);
/* js_add appends bytes as they are, without a comma. */
void js_add(struct js_writer *json, const void *bytes, size_t len);

void js_begin(struct js_writer *json, char bracket); /* '{' or '[' */
void js_end(struct js_writer *json, char bracket);   /* '}' or ']' */
void js_line(struct js_writer *json);                /* ends the line; what follows starts afresh */

/* a literal name, which needs no escaping */
void js_key(struct js_writer *json, const char *name);
void js_key_bytes(struct js_writer *json, const void *name, size_t len);

void js_text(struct js_writer *json, const char *text);                /* a string; NULL: null */
void js_string(struct js_writer *json, const void *bytes, size_t len); /* a string */
/* a string holding base64 (RFC 4648, padded) */
void js_base64(struct js_writer *json, const void *bytes, size_t len);
/* a value that is JSON already */
void js_verbatim(struct js_writer *json, const char *text, size_t len);
void js_uint(struct js_writer *json, uint64_t number);
void js_int(struct js_writer *json, int64_t number);
void js_real(struct js_writer *json, double number, int decimals); /* null when not finite */
void js_bool(struct js_writer *json, int truth);
void js_null(struct js_writer *json);

/* js_escape appends what js_string writes between the quotes. */
void js_escape(struct js_writer *json, const void *bytes, size_t len);

/* js_is_number: 1 if all of text is a number by the grammar of JSON ("-0.5e3"; not "+1", "01",
 * ".5", "1." or ""), else 0. */
int js_is_number(const char *text, size_t len);
/* js_is_utf8: 1 if bytes are well-formed UTF-8 (no overlong forms, no surrogates, nothing above
 * U+10FFFF), else 0. */
int js_is_utf8(const void *bytes, size_t len);

#endif
