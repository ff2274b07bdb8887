#ifndef SCHEDULING_H
#define SCHEDULING_H

#include <stdint.h>

/// Has the calling thread, and no other, give way: its niceness as setpriority(2) has it, and its slice, the time that it asks
/// to run for in one go. From Linux 6.12 on, a thread that wakes up and asks for less interrupts one that asks for more; before
/// that the slice is without effect. No privilege is needed.
///
/// Returns 0, or -1 with `errno` where only the niceness could be set, or neither.
int scheduling_give_way(int niceness, uint64_t slice_ns);

#endif
