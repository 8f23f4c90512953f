// To be preloaded into user-mode Linux. Its kernel knows the registers of a processor up to AVX's; Linux refuses to set
// registers that are fewer than the processor has, AVX-512's and AMX's with them. Those that it does not know are left as
// they are.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#define X86_XSTATE ((void *)0x202)

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
	if (request != PTRACE_SETREGSET || addr != X86_XSTATE)
		return next(request, pid, addr, data);
	static char registers[1 << 16];
	struct iovec *some = data, all = {registers, sizeof registers};
	if (next(PTRACE_GETREGSET, pid, addr, &all) != 0)
		return -1;
	memcpy(registers, some->iov_base, some->iov_len < all.iov_len ? some->iov_len : all.iov_len);
	return next(PTRACE_SETREGSET, pid, addr, &all);
}
