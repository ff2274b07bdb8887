// sched_setattr(2) has a wrapper from glibc 2.41 on, and Swift cannot call the variadic syscall(2).

#define _GNU_SOURCE
#include "scheduling.h"

#if defined(__linux__)

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int scheduling_give_way(int niceness, uint64_t slice_ns) {
    // struct sched_attr as of its first version, which every kernel since 3.14 knows.
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } attributes = {.size = sizeof attributes, .nice = niceness, .runtime = slice_ns};
    if (syscall(SYS_sched_setattr, 0, &attributes, 0) == 0) return 0;
    // Of this thread alone: to Linux, each has a niceness of its own (setpriority(2), "C library/kernel differences").
    setpriority(PRIO_PROCESS, 0, niceness);
    return -1;
}

#else

int scheduling_give_way(int niceness, uint64_t slice_ns) {
    (void)niceness, (void)slice_ns;
    return -1;
}

#endif
