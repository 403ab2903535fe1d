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
                struct csv_field *field)
{
    return csv_field(row, len, (unsigned char)fields->sep | (fields->quotes ? 0 : CSV_UNQUOTED), at,
                     field);
}

int32_t fields_get(const struct fields *fields, const char *row, size_t len, int32_t number,
                   struct csv_field *field)
{
    size_t at = 0;
    int32_t n = 0;

    while (n < number && fields_next(fields, row, len, &at, field))
        n++;
    return n;
}

static void name_columns(const struct fields *fields, const char *header, size_t len,
                         const char **names, char *room)
{
    struct csv_field field;
    size_t at = 0, n = 0;

    while (n < COLUMNS_SHOWN && fields_next(fields, header, len, &at, &field)) {
        names[n++] = room;
        if (field.quoted)
            field.len = csv_unquote(field.text, field.len, room);
        else
            memcpy(room, field.text, field.len);
        room += field.len;
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

/* 1 if a field of the header, without its quotes, is this name. */
static int field_is(const struct csv_field *field, const char *name)
{
    for (size_t i = 0; i < field->len; i++, name++) {
        if (*name != field->text[i])
            return 0;
        if (field->quoted && field->text[i] == '"')
            i++;
    }
    return *name == '\0';
}

int32_t fields_find(const struct fields *fields, const char *header, size_t len, const char *wanted)
{
    struct csv_field field;
    size_t at = 0;
    int32_t number = 0;

    while (header && fields_next(fields, header, len, &at, &field)) {
        number++;
        if (field_is(&field, wanted))
            return number;
    }
    if (wanted[strspn(wanted, "0123456789")] || strlen(wanted) > 9 ||
        (header && atoi(wanted) > number))
        return 0;
    return atoi(wanted);
}
