/* fuzz_json_read.c - json_read beside jansson: any text is JSON for both or for neither, and its
 * strings, numbers and members are the same. */
#include "fuzz.h"
#include "text/json_read.h"

#include <jansson.h>
#include <string.h>

static void compare(const struct js_value *ours, const json_t *theirs);

static void compare_string(const struct js_value *ours, const char *text, size_t len)
{
    char *out = malloc(ours->len + 1);
    MUST(out);
    MUST(js_unescape(ours, out) == len && memcmp(out, text, len) == 0);
    free(out);
}

static void compare_members(const struct js_value *ours, const json_t *theirs)
{
    struct js_value name, value;
    size_t at = 0, n = 0;
    while (js_next(ours, &at, &name, &value)) {
        if (ours->kind == JS_ARRAY) {
            compare(&value, json_array_get(theirs, n));
        } else {
            char *key = malloc(name.len + 1);
            MUST(key);
            key[js_unescape(&name, key)] = '\0';
            MUST(js_is(&name, key));
            /* of a name that comes twice, jansson has the last */
            MUST(json_object_get(theirs, key));
            free(key);
        }
        n++;
    }
    MUST(ours->kind == JS_ARRAY ? n == json_array_size(theirs) : n >= json_object_size(theirs));
}

static void compare(const struct js_value *ours, const json_t *theirs)
{
    uint64_t number;
    MUST(theirs);
    switch (ours->kind) {
    case JS_NULL:
        MUST(json_is_null(theirs));
        break;
    case JS_FALSE:
        MUST(json_is_false(theirs));
        break;
    case JS_TRUE:
        MUST(json_is_true(theirs));
        break;
    case JS_NUMBER:
        MUST(json_is_number(theirs));
        if (js_to_uint(ours, &number) == 0 && number <= INT64_MAX)
            MUST(json_integer_value(theirs) == (json_int_t)number);
        break;
    case JS_STRING:
        MUST(json_is_string(theirs));
        compare_string(ours, json_string_value(theirs), json_string_length(theirs));
        break;
    case JS_ARRAY:
        MUST(json_is_array(theirs));
        compare_members(ours, theirs);
        break;
    case JS_OBJECT:
        MUST(json_is_object(theirs));
        compare_members(ours, theirs);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct js_value ours;
    struct js_fault fault;
    json_error_t error;
    char *text = malloc(size ? size : 1); /* of its own, so that reading beyond it is seen */
    MUST(text);
    if (size)
        memcpy(text, data, size);
    int bad = js_parse(text, size, &ours, &fault);
    /* nowhere in JSON; jansson takes some for the end of its buffer */
    if (size && memchr(text, 0, size)) {
        MUST(bad);
        free(text);
        return 0;
    }
    json_t *theirs = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    enum json_error_code code = theirs ? json_error_unknown : json_error_code(&error);
    /* jansson has limits of its own, and another depth. */
    if (!bad && !theirs)
        MUST(code == json_error_numeric_overflow || code == json_error_null_byte_in_key ||
             code == json_error_stack_overflow);
    if (bad && theirs)
        MUST(strstr(fault.reason, "deep"));
    if (!bad && theirs)
        compare(&ours, theirs);
    MUST(!bad || fault.at <= size);
    json_decref(theirs);
    free(text);
    return 0;
}
