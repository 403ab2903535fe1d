/* image.c - see image.h. */
#include "image.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define AREAS_MAX 64u
#define PAGES_MAX 4096u /* in the page table at a time; more than that counts as a change */
#define IN_TABLE  (1ull << 63 | 1ull << 62) /* pagemap: present, or swapped out */

struct copy {
    uint64_t *page; /* addresses, rising within each area */
    size_t page_cnt;
    unsigned char *bytes; /* the robust list's head, then the pages */
};

struct image {
    pid_t pid;
    int pagemap;
    size_t page_bytes;
    struct {
        uint64_t at;
        size_t page_cnt;
    } area[AREAS_MAX]; /* shared and writable */
    size_t area_cnt;
    void *robust; /* where the head is, in the process */
    struct copy now, before;
    int known; /* `before` is what it was */
};

static void *must(void *p)
{
    if (!p)
        abort();
    return p;
}

struct image *image_new(pid_t pid)
{
    struct image *image = must(calloc(1, sizeof *image));
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/pagemap", (long)pid);
    image->pid = pid;
    image->pagemap = open(path, O_RDONLY | O_CLOEXEC);
    image->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    struct copy *both[] = {&image->now, &image->before};
    for (int i = 0; i < 2; i++) {
        both[i]->page = must(malloc(PAGES_MAX * sizeof *both[i]->page));
        /* touched as far as it is used */
        both[i]->bytes =
            must(malloc(sizeof(struct robust_list_head) + PAGES_MAX * image->page_bytes));
    }
    return image;
}

void image_free(struct image *image)
{
    if (image->pagemap >= 0)
        close(image->pagemap);
    free(image->now.page);
    free(image->now.bytes);
    free(image->before.page);
    free(image->before.bytes);
    free(image);
}

/* Where the process has shared memory and its robust list: only a system call can change that. */
static int find_areas(struct image *image)
{
    char path[64], line[512];
    size_t len;
    image->area_cnt = 0;
    if (syscall(SYS_get_robust_list, image->pid, &image->robust, &len) < 0 ||
        len != sizeof(struct robust_list_head))
        return -1;
    snprintf(path, sizeof path, "/proc/%ld/maps", (long)image->pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return -1;
    int fits = 1;
    while (fgets(line, sizeof line, f)) {
        uint64_t from, to;
        char rights[5];
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &from, &to, rights) != 3)
            continue; /* the rest of a long line */
        if (rights[1] != 'w' || rights[3] != 's')
            continue;
        if (image->area_cnt == AREAS_MAX) {
            fits = 0;
            break;
        }
        image->area[image->area_cnt].at = from;
        image->area[image->area_cnt++].page_cnt = (size_t)(to - from) / image->page_bytes;
    }
    fclose(f);
    return fits ? 0 : -1;
}

/* Which pages the process has in its page table. */
static int find_pages(struct image *image)
{
    struct copy *now = &image->now;
    uint64_t flags[512];
    now->page_cnt = 0;
    for (size_t a = 0; a < image->area_cnt; a++)
        for (size_t done = 0, n; done < image->area[a].page_cnt; done += n) {
            n = image->area[a].page_cnt - done;
            if (n > sizeof flags / sizeof *flags)
                n = sizeof flags / sizeof *flags;
            uint64_t at = image->area[a].at + done * image->page_bytes;
            if (pread(image->pagemap, flags, n * sizeof *flags,
                      (off_t)(at / image->page_bytes * sizeof *flags)) !=
                (ssize_t)(n * sizeof *flags))
                return -1;
            for (size_t i = 0; i < n; i++)
                if (flags[i] & IN_TABLE) {
                    if (now->page_cnt == PAGES_MAX)
                        return -1;
                    now->page[now->page_cnt++] = at + i * image->page_bytes;
                }
        }
    return 0;
}

static int read_bytes(struct image *image)
{
    struct copy *now = &image->now;
    struct iovec local = {now->bytes,
                          sizeof(struct robust_list_head) + now->page_cnt * image->page_bytes};
    struct iovec remote[IOV_MAX];
    unsigned long n = 0;
    remote[n++] = (struct iovec){image->robust, sizeof(struct robust_list_head)};
    for (size_t i = 0; i < now->page_cnt; i++) {
        if (i > 0 && now->page[i] == now->page[i - 1] + image->page_bytes) {
            remote[n - 1].iov_len += image->page_bytes;
            continue;
        }
        if (n == IOV_MAX)
            return -1;
        remote[n++] = (struct iovec){(void *)(uintptr_t)now->page[i], image->page_bytes};
    }
    return process_vm_readv(image->pid, &local, 1, remote, n, 0) == (ssize_t)local.iov_len ? 0 : -1;
}

int image_changed(struct image *image, int call)
{
    if (call || !image->known) {
        call = 1;
        if (find_areas(image) < 0) {
            image->known = 0;
            return 1;
        }
    }
    if (find_pages(image) < 0 || read_bytes(image) < 0) {
        image->known = 0;
        return 1;
    }
    const struct copy *now = &image->now, *before = &image->before;
    int changed = call || now->page_cnt != before->page_cnt ||
                  memcmp(now->page, before->page, now->page_cnt * sizeof *now->page) != 0 ||
                  memcmp(now->bytes, before->bytes,
                         sizeof(struct robust_list_head) + now->page_cnt * image->page_bytes) != 0;
    if (changed) {
        struct copy old = image->before;
        image->before = image->now;
        image->now = old;
    }
    image->known = 1;
    return changed;
}
