/* Memory that runs short when a test says so: loaded into nginx with LD_PRELOAD.
 *
 * NO_MEMORY names a file that is mapped by every process and written to by the test: whose allocations are
 * counted, and which of them is the first to fail. They are those of nginx's own program, its pools among
 * them; those that the module makes itself; and the module's calls of nginx's pools, lists and threads.
 * These are seen where the module is a copy that calls them by other names (AuthGate::NoMemory). */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

enum { NOBODY, PROGRAM, MODULE, CALLS };

struct orders {
    atomic_int whose;    /* NOBODY, PROGRAM, MODULE or CALLS */
    atomic_int left;     /* so many go well before one fails */
    atomic_int lasts;    /* whether all that come after it fail, too */
    atomic_int failed;   /* how many have */
};

static struct orders *orders;
static uintptr_t program_start, program_end;

static int note_program(struct dl_phdr_info *info, size_t size, void *data)
{
    (void) size; (void) data;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X)) {
            program_start = info->dlpi_addr + part->p_vaddr;
            program_end = program_start + part->p_memsz;
        }
    }
    return 1;    /* the first is the program */
}

__attribute__((constructor)) static void take_orders(void)
{
    const char *path = getenv("NO_MEMORY");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    dl_iterate_phdr(note_program, NULL);
    void *mapped = mmap(NULL, sizeof *orders, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (mapped != MAP_FAILED)
        orders = mapped;
}

static int whose(void *caller)
{
    uintptr_t address = (uintptr_t) caller;
    Dl_info info;
    if (address >= program_start && address < program_end)
        return PROGRAM;
    if (dladdr(caller, &info) && info.dli_fname && strstr(info.dli_fname, "authgate_module"))
        return MODULE;
    return NOBODY;
}

static int is_turn(void)
{
    int left = atomic_fetch_sub(&orders->left, 1);
    if (left > 0 || (left < 0 && !orders->lasts))
        return 0;
    atomic_fetch_add(&orders->failed, 1);
    errno = ENOMEM;
    return 1;
}

static int fails(void *caller)
{
    return orders && orders->whose && orders->whose == whose(caller) && is_turn();
}

static int call_fails(void)
{
    return orders && orders->whose == CALLS && is_turn();
}

#define CALLER __builtin_return_address(0)

void *malloc(size_t size) { return fails(CALLER) ? NULL : __libc_malloc(size); }
void *calloc(size_t count, size_t size) { return fails(CALLER) ? NULL : __libc_calloc(count, size); }
void *realloc(void *old, size_t size) { return fails(CALLER) ? NULL : __libc_realloc(old, size); }
void *memalign(size_t align, size_t size) { return fails(CALLER) ? NULL : __libc_memalign(align, size); }
void *aligned_alloc(size_t align, size_t size) { return fails(CALLER) ? NULL : __libc_memalign(align, size); }

int posix_memalign(void **place, size_t align, size_t size)
{
    if (fails(CALLER))
        return ENOMEM;
    *place = __libc_memalign(align, size);
    return *place ? 0 : ENOMEM;
}

/* nginx's functions that may fail, under the names that the copy of the module calls. */
#define CALL(name, other, parameters, arguments) \
    extern void *name parameters; \
    void *other parameters { return call_fails() ? NULL : name arguments; }

CALL(ngx_palloc, ngx_pallo_, (void *pool, size_t size), (pool, size))
CALL(ngx_pcalloc, ngx_pcallo_, (void *pool, size_t size), (pool, size))
CALL(ngx_pnalloc, ngx_pnallo_, (void *pool, size_t size), (pool, size))
CALL(ngx_create_pool, ngx_create_poo_, (size_t size, void *log), (size, log))
CALL(ngx_list_push, ngx_list_pus_, (void *list), (list))
CALL(ngx_array_push, ngx_array_pus_, (void *array), (array))
CALL(ngx_pool_cleanup_add, ngx_pool_cleanup_ad_, (void *pool, size_t size), (pool, size))
CALL(ngx_http_cleanup_add, ngx_http_cleanup_ad_, (void *request, size_t size), (request, size))
CALL(ngx_slab_calloc, ngx_slab_callo_, (void *pool, size_t size), (pool, size))

extern intptr_t ngx_thread_task_post(void *pool, void *task);
intptr_t ngx_thread_task_pos_(void *pool, void *task) { return call_fails() ? -1 : ngx_thread_task_post(pool, task); }
