/* headers.c - see mr_header_add in millrace.h. A record's headers lie end to end: name length
 * (1 byte), value length (4 bytes, little endian), name, value. */
#include "millrace.h"

#include <errno.h>
#include <string.h>

ssize_t mr_header_add(void *buf, size_t used, size_t cap, const char *name, const void *value,
                      size_t value_len)
{
    size_t name_len = strlen(name);
    if (name_len < 1 || name_len > 255)
        return -EINVAL;
    if (cap > MR_HEADERS_MAX)
        cap = MR_HEADERS_MAX;
    if (used > cap || cap - used < 5 + name_len || cap - used - 5 - name_len < value_len)
        return -ENOSPC;
    unsigned char *at = (unsigned char *)buf + used;
    *at++ = (unsigned char)name_len;
    for (int i = 0; i < 4; i++)
        *at++ = (unsigned char)(value_len >> 8 * i);
    memcpy(at, name, name_len);
    if (value_len)
        memcpy(at + name_len, value, value_len);
    return (ssize_t)(used + 5 + name_len + value_len);
}

int mr_header_next(const void *headers, size_t headers_len, size_t *at, struct mr_header *out)
{
    const unsigned char *base = headers;
    if (*at >= headers_len)
        return 0;
    if (headers_len - *at < 5)
        return -EBADMSG;
    size_t n = base[*at], v = 0;
    for (int i = 0; i < 4; i++)
        v |= (size_t)base[*at + 1 + (size_t)i] << 8 * i;
    if (n == 0 || headers_len - *at - 5 < n || headers_len - *at - 5 - n < v)
        return -EBADMSG;
    out->name = (const char *)base + *at + 5;
    out->name_len = n;
    out->value = base + *at + 5 + n;
    out->value_len = v;
    *at += 5 + n + v;
    return 1;
}
