/* symbols.c - what an address of a program is called, from the symbol table of its file. */
#include "trace.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
    const unsigned char *bytes;
    size_t size;
};

static struct file map_file(const char *path)
{
    struct file file = {0};
    struct stat stat;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return file;
    if (fstat(fd, &stat) == 0 && stat.st_size > 0) {
        void *at = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (at != MAP_FAILED)
            file = (struct file){at, (size_t)stat.st_size};
    }
    close(fd);
    return file;
}

/* The executable segment of the file: its offset and address there tell where the file lies. */
static uint64_t code_address(const struct file *file)
{
    const Elf64_Ehdr *header = (const void *)file->bytes;
    const Elf64_Phdr *segments = (const void *)(file->bytes + header->e_phoff);
    for (int i = 0; i < header->e_phnum; i++)
        if (segments[i].p_type == PT_LOAD && (segments[i].p_flags & PF_X))
            return segments[i].p_vaddr & ~UINT64_C(4095);
    return 0;
}

/* The function at an address of the file, or NULL; *into: how far inside. */
static const char *function_at(const struct file *file, uint64_t address, uint64_t *into)
{
    const Elf64_Ehdr *header = (const void *)file->bytes;
    const Elf64_Shdr *sections = (const void *)(file->bytes + header->e_shoff);
    for (int i = 0; i < header->e_shnum; i++) {
        if (sections[i].sh_type != SHT_SYMTAB)
            continue;
        const Elf64_Sym *symbols = (const void *)(file->bytes + sections[i].sh_offset);
        const char *names = (const char *)file->bytes + sections[sections[i].sh_link].sh_offset;
        for (size_t n = sections[i].sh_size / sizeof *symbols; n-- > 0;)
            if (ELF64_ST_TYPE(symbols[n].st_info) == STT_FUNC && address >= symbols[n].st_value &&
                address < symbols[n].st_value + symbols[n].st_size) {
                *into = address - symbols[n].st_value;
                return names + symbols[n].st_name;
            }
    }
    return NULL;
}

/* Returns 1 if the address is in a function of the program, which is written to out. */
static int name_of(const struct run *run, const struct file *file, uint64_t address, char *out,
                   size_t cap)
{
    uint64_t into = 0;
    const char *name = NULL;
    if (file->bytes && address >= run->text && address < run->text_end)
        name = function_at(file, address - run->text + code_address(file), &into);
    if (name)
        snprintf(out, cap, "%s+%llu", name, (unsigned long long)into);
    else
        snprintf(out, cap, "%#llx", (unsigned long long)address);
    return name != NULL;
}

void trace_symbol(const struct run *run, uint64_t address, char *out, size_t cap)
{
    struct file file = map_file(run->argv[0]);
    name_of(run, &file, address, out, cap);
    if (file.bytes)
        munmap((void *)(uintptr_t)file.bytes, file.size);
}

void trace_where(const struct run *run, char *out, size_t cap)
{
    struct file file = map_file(run->argv[0]);
    char name[128];
    size_t len = 0, callers = 0;
    if (!run->rip) {
        snprintf(out, cap, "asleep");
    } else {
        name_of(run, &file, run->rip, name, sizeof name);
        len = (size_t)snprintf(out, cap, "%s", name);
    }
    /* Words on the stack that look like return addresses: some may be left of calls long over. */
    for (size_t i = 0; run->rip && i < TRACE_STACK && callers < 8 && len + 160 < cap; i++)
        if (name_of(run, &file, run->stack[i], name, sizeof name)) {
            len += (size_t)snprintf(out + len, cap - len, " < %s", name);
            callers++;
        }
    if (file.bytes)
        munmap((void *)(uintptr_t)file.bytes, file.size);
}
