/* fields.c - see fields.h. Names are compared without their quotes. */
#include "fields.h"
#include "cli/program.h"
#include "text/csv.h"
#include "text/text.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_SHOWN 64

int fields_next(const struct fields *fields, const char *row, size_t len, size_t *at,
                const char **field, size_t *field_len, int *quoted)
{
    return csv_field(row, len, (unsigned char)fields->sep | (fields->quotes ? 0 : CSV_UNQUOTED), at,
                     field, field_len, quoted);
}

int32_t fields_get(const struct fields *fields, const char *row, size_t len, int32_t number,
                   const char **field, size_t *field_len, int *quoted)
{
    size_t at = 0;
    int32_t n = 0;

    while (n < number && fields_next(fields, row, len, &at, field, field_len, quoted))
        n++;
    return n;
}

static void name_columns(const struct fields *fields, const char *header, size_t len,
                         const char **names, char *room)
{
    const char *field;
    size_t at = 0, field_len, n = 0;
    int quoted;

    while (n < COLUMNS_SHOWN &&
           fields_next(fields, header, len, &at, &field, &field_len, &quoted)) {
        names[n++] = room;
        if (quoted)
            field_len = csv_unquote(field, field_len, room);
        else
            memcpy(room, field, field_len);
        room += field_len;
        *room++ = '\0';
    }
    names[n] = NULL;
}

int fields_no_such(const struct fields *fields, const char *file, const char *header, size_t len,
                   const char *wanted)
{
    const char *names[COLUMNS_SHOWN + 1], *near;
    char *room = malloc(2 * len + 2);

    if (!room) {
        program_fail(-ENOMEM, "%s", file);
        return EXIT_FAILED;
    }
    name_columns(fields, header, len, names, room);
    near = text_suggest(wanted, names);
    if (near)
        program_error("%s: no column \"%s\" (did you mean \"%s\"?)", file, wanted, near);
    else
        program_error("%s: no column \"%s\"; the header is: %.*s", file, wanted,
                      len > 1000 ? 1000 : (int)len, header);
    free(room);
    return EXIT_FAILED;
}

/* A field of the header against a name; the unquoted form counts. */
static int field_is(const char *field, size_t len, int quoted, const char *name)
{
    for (size_t i = 0; i < len; i++, name++) {
        if (*name != field[i])
            return 0;
        if (quoted && field[i] == '"')
            i++;
    }
    return *name == '\0';
}

int32_t fields_find(const struct fields *fields, const char *header, size_t len, const char *wanted)
{
    const char *field;
    size_t at = 0, field_len;
    int32_t number = 0;
    int quoted;

    while (header && fields_next(fields, header, len, &at, &field, &field_len, &quoted)) {
        number++;
        if (field_is(field, field_len, quoted, wanted))
            return number;
    }
    if (wanted[strspn(wanted, "0123456789")] || strlen(wanted) > 9 ||
        (header && atoi(wanted) > number))
        return 0;
    return atoi(wanted);
}
