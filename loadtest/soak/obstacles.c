/* Stands between a server and its system (LD_PRELOAD): a disk that is full or slow, a clock that
 * was set back. What it does is read at every call from a file that both sides have mapped. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct control {
    volatile int32_t disk_full;
    volatile int32_t sync_milliseconds;
    volatile int64_t clock_seconds;
};

static struct control nothing;
static struct control *control = &nothing;

__attribute__((constructor)) static void look(void)
{
    const char *path = getenv("SOAK_CONTROL");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *mapped = mmap(NULL, sizeof *control, PROT_READ, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED)
        control = mapped;
    close(file);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* SQLite writes its files by these, and nobody else in the server does. */
ssize_t pwrite64(int file, const void *source, size_t size, off64_t offset)
{
    if (control->disk_full) {
        errno = ENOSPC;
        return -1;
    }
    return REAL(pwrite64)(file, source, size, offset);
}

ssize_t pwrite(int file, const void *source, size_t size, off_t offset)
{
    return pwrite64(file, source, size, offset);
}

static void wait_for_disk(void)
{
    int milliseconds = control->sync_milliseconds;
    if (milliseconds)
        usleep(1000 * milliseconds);
}

int fsync(int file)
{
    wait_for_disk();
    return REAL(fsync)(file);
}

int fdatasync(int file)
{
    wait_for_disk();
    return REAL(fdatasync)(file);
}

/* The clock of the day; monotonic clocks are not what somebody sets. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
    static __typeof__(&clock_gettime) real;
    if (!real)
        real = REAL(clock_gettime);
    int result = real(clock, now);
    if (!result && clock == CLOCK_REALTIME)
        now->tv_sec -= control->clock_seconds;
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    (void)zone;
    struct timespec precise;
    int result = clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return result;
}

time_t time(time_t *seconds)
{
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (seconds)
        *seconds = precise.tv_sec;
    return precise.tv_sec;
}
