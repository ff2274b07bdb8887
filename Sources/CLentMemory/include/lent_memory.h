#ifndef LENT_MEMORY_H
#define LENT_MEMORY_H

#include <stddef.h>

/// Lends `size` bytes at `base` to the calling thread: until `lent_memory_end`, a new anonymous mapping with MAP_POPULATE
/// that fits gets them instead of fresh pages, one at a time, and its unmapping gives them back untouched.
void lent_memory_begin(void *base, size_t size);

/// Ends the lending.
/// Returns how many mappings it has served.
unsigned lent_memory_end(void);

#endif
