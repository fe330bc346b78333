/* Preloaded into the server: its wall clock stands as many seconds from the true one as the first eight bytes of the
   file CHAOS_CLOCK say. The steady clock is left alone. No headers, so that the smallest compiler will do. */

struct timespec { long sec, nsec; };
struct timeval { long sec, usec; };

extern char *getenv(const char *);
extern int open(const char *, int, ...);
extern void *mmap(void *, unsigned long, int, int, int, long);
extern long syscall(long, ...);

#ifdef __aarch64__
#define CLOCK_GETTIME 113
#else
#define CLOCK_GETTIME 228
#endif

static volatile long none, *shift = &none;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("CHAOS_CLOCK");
    int file = path ? open(path, 0) : -1;
    void *bytes = file < 0 ? (void *)-1 : mmap(0, 8, 1, 1, file, 0); /* to be read, shared */
    if (bytes != (void *)-1)
        shift = bytes;
}

int clock_gettime(int clock, struct timespec *now)
{
    int error = syscall(CLOCK_GETTIME, clock, now);
    if (!error && (clock == 0 || clock == 5)) /* real time, and its coarse sister */
        now->sec += *shift;
    return error;
}

int gettimeofday(struct timeval *now, void *zone)
{
    struct timespec exact;
    clock_gettime(0, &exact);
    now->sec = exact.sec;
    now->usec = exact.nsec / 1000;
    return 0;
}

long time(long *out)
{
    struct timespec exact;
    clock_gettime(0, &exact);
    if (out)
        *out = exact.sec;
    return exact.sec;
}
