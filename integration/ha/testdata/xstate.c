// To be preloaded into user-mode Linux. Its kernel knows the registers of a processor up to AVX's, and has room for no more;
// Linux refuses to set registers that are fewer than the processor has, AVX-512's and AMX's with them. So all are kept here,
// by the address at which the kernel keeps those of a thread that it knows.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#define X86_XSTATE ((void *)0x202)
#define ROOM (1 << 14)

struct kept {
	void *thread;
	size_t length; // 0: nothing yet
	struct kept *next;
	char registers[ROOM];
};

static struct kept *find(void *thread) {
	static struct kept *table[1024];
	struct kept **slot = &table[((size_t)thread >> 6) % 1024];
	for (struct kept *k = *slot; k != NULL; k = k->next)
		if (k->thread == thread)
			return k;
	struct kept *k = calloc(1, sizeof *k);
	if (k == NULL)
		abort();
	k->thread = thread;
	k->next = *slot;
	return *slot = k;
}

static size_t min(size_t a, size_t b) { return a < b ? a : b; }

long ptrace(enum __ptrace_request request, ...) {
	static long (*next)(enum __ptrace_request, ...);
	va_list rest;
	va_start(rest, request);
	int pid = va_arg(rest, int);
	void *addr = va_arg(rest, void *);
	void *data = va_arg(rest, void *);
	va_end(rest);
	if (next == NULL)
		next = dlsym(RTLD_NEXT, "ptrace");
	if ((request != PTRACE_SETREGSET && request != PTRACE_GETREGSET) || addr != X86_XSTATE)
		return next(request, pid, addr, data);
	struct iovec *known = data;
	struct kept *k = find(known->iov_base);
	struct iovec all = {k->registers, ROOM};
	if (request == PTRACE_GETREGSET || k->length == 0) {
		long failed = next(PTRACE_GETREGSET, pid, addr, &all);
		if (failed)
			return failed;
		k->length = all.iov_len;
	}
	size_t n = min(known->iov_len, k->length);
	if (request == PTRACE_GETREGSET) {
		memcpy(known->iov_base, k->registers, n);
		known->iov_len = n;
		return 0;
	}
	memcpy(k->registers, known->iov_base, n);
	all.iov_len = k->length;
	return next(PTRACE_SETREGSET, pid, addr, &all);
}
