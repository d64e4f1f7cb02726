// SPDX-License-Identifier: GPL-3.0-or-later
//
// The work that is done with and without a probe: a little of everything a server does, always the same.
//
//     overhead_workload DIRECTORY
//
// It prints "ready SECONDS.MICROSECONDS" (its clock), and for each line "MILLISECONDS [FILE]" that it reads it works
// for that long and prints "begin" and "end ITERATIONS CYCLES MICROSECONDS USED", where USED is by how much the figure
// behind usage_usec in FILE (cpu.stat of a cgroup) grew meanwhile. One iteration: arithmetic, small system calls, a file
// written and read, a call that fails, packets over the loopback, a process to wait for; now and then a connection, a
// write to the disk, a program that is started.
//
// Freestanding (gcc -O2 -static -nostdlib -fno-stack-protector), so that a builder needs no C library.

typedef long i64;
typedef unsigned long u64;

static i64 call(i64 number, i64 a, i64 b, i64 c, i64 d, i64 e, i64 f)
{
	i64 result;
	register i64 r10 __asm__("r10") = d;
	register i64 r8 __asm__("r8") = e;
	register i64 r9 __asm__("r9") = f;
	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}
#define CALL(n, a, b, c, d, e, f) call(n, (i64)(a), (i64)(b), (i64)(c), (i64)(d), (i64)(e), (i64)(f))

enum { READ, WRITE, OPEN, CLOSE, MMAP = 9, PREAD = 17, PIPE = 22, SOCKET = 41, CONNECT, ACCEPT, SENDTO, RECVFROM,
       BIND = 49, LISTEN, GETSOCKNAME, FORK = 57, EXECVE = 59, EXIT = 60, WAIT4 = 61, FSYNC = 74, MKDIR = 83,
       UNLINK = 87, GETPPID = 110, FUTEX = 202, FADVISE = 221, CLOCK_GETTIME = 228 };

struct address { unsigned short family, port; unsigned int ip; char zero[8]; };
#define LOOPBACK { 2, 0, 0x0100007f, {0} }

static char page[4096], line[4096], path[300];
static int to_child[2], from_child[2], datagrams, listener;
static struct address datagram_address = LOOPBACK, listen_address = LOOPBACK;
static volatile int *shared;
static volatile u64 sum = 88172645463325252UL;

static u64 microseconds(int clock)
{
	i64 now[2] = {0, 0};
	CALL(CLOCK_GETTIME, clock, now, 0, 0, 0, 0);
	return (u64)now[0] * 1000000 + (u64)now[1] / 1000;
}

static char *digits(char *at, u64 number)
{
	char reversed[24];
	int count = 0;
	do reversed[count++] = (char)('0' + number % 10); while (number /= 10);
	while (count) *at++ = reversed[--count];
	return at;
}

static char *text(char *at, const char *words)
{
	while (*words) *at++ = *words++;
	return at;
}

static void say(char *end)
{
	*end++ = '\n';
	CALL(WRITE, 1, line, end - line, 0, 0, 0);
}

static void fail(const char *what)
{
	say(text(text(line, "failed "), what));
	CALL(EXIT, 1, 0, 0, 0, 0, 0);
}

// The number behind `usage_usec ` in a file; 0 if it is not there.
static u64 usage(const char *file)
{
	char said[256];
	u64 number = 0;
	i64 descriptor = CALL(OPEN, file, 0, 0, 0, 0, 0);
	if (descriptor < 0) return 0;
	i64 size = CALL(READ, descriptor, said, sizeof said, 0, 0, 0);
	CALL(CLOSE, descriptor, 0, 0, 0, 0, 0);
	for (i64 i = 11; i < size && said[i] >= '0' && said[i] <= '9'; i++) number = number * 10 + (u64)(said[i] - '0');
	return number;
}

// A second process that answers: once through pipes, once through a futex.
static void companion(void)
{
	char byte;
	while (CALL(READ, to_child[0], &byte, 1, 0, 0, 0) == 1) {
		CALL(WRITE, from_child[1], &byte, 1, 0, 0, 0);
		while (shared[0] == 0) CALL(FUTEX, &shared[0], 0, 0, 0, 0, 0);
		shared[0] = 0;
		shared[1] = 1;
		CALL(FUTEX, &shared[1], 1, 1, 0, 0, 0);
	}
	CALL(EXIT, 0, 0, 0, 0, 0, 0);
}

static void ask_companion(void)
{
	char byte = 'x';
	CALL(WRITE, to_child[1], &byte, 1, 0, 0, 0);
	CALL(READ, from_child[0], &byte, 1, 0, 0, 0);
	shared[1] = 0;
	shared[0] = 1;
	CALL(FUTEX, &shared[0], 1, 1, 0, 0, 0);
	while (shared[1] == 0) CALL(FUTEX, &shared[1], 0, 0, 0, 0, 0);
}

static void use_file(u64 turn, char *name_end)
{
	*digits(name_end, turn % 64) = 0;
	i64 file = CALL(OPEN, path, 0102, 0600, 0, 0, 0);
	if (file < 0) fail("open");
	CALL(WRITE, file, page, sizeof page, 0, 0, 0);
	if (turn % 16 == 0) CALL(FSYNC, file, 0, 0, 0, 0, 0);
	if (turn % 16 == 0) CALL(FADVISE, file, 0, 0, 4, 0, 0);
	CALL(PREAD, file, page, sizeof page, 0, 0, 0);
	CALL(CLOSE, file, 0, 0, 0, 0, 0);
	if (turn % 8 == 0) CALL(UNLINK, path, 0, 0, 0, 0, 0);
	*text(name_end, "nothing") = 0;
	CALL(OPEN, path, 0, 0, 0, 0, 0);
}

static void use_network(u64 turn)
{
	for (int i = 0; i < 2; i++) {
		CALL(SENDTO, datagrams, page, 512, 0, &datagram_address, sizeof datagram_address);
		CALL(RECVFROM, datagrams, page, sizeof page, 0, 0, 0);
	}
	if (turn % 4) return;
	i64 client = CALL(SOCKET, 2, 1, 0, 0, 0, 0);
	if (CALL(CONNECT, client, &listen_address, sizeof listen_address, 0, 0, 0) < 0) fail("connect");
	i64 server = CALL(ACCEPT, listener, 0, 0, 0, 0, 0);
	CALL(WRITE, client, page, 100, 0, 0, 0);
	CALL(READ, server, page, sizeof page, 0, 0, 0);
	CALL(CLOSE, client, 0, 0, 0, 0, 0);
	CALL(CLOSE, server, 0, 0, 0, 0, 0);
}

static void start_program(char *self)
{
	char *arguments[] = {self, 0};
	i64 child = CALL(FORK, 0, 0, 0, 0, 0, 0);
	if (child == 0) {
		CALL(EXECVE, self, arguments, 0, 0, 0, 0);
		CALL(EXIT, 1, 0, 0, 0, 0, 0);
	}
	CALL(WAIT4, child, 0, 0, 0, 0, 0);
}

static void work(u64 milliseconds, const char *file, char *name_end, char *self)
{
	say(text(line, "begin"));
	u64 before = usage(file), began = microseconds(1), cycles = __builtin_ia32_rdtsc(), turn = 0, now;
	do {
		for (int i = 0; i < 2000; i++) {
			sum ^= sum << 13;
			sum ^= sum >> 7;
		}
		for (int i = 0; i < 10; i++) CALL(GETPPID, 0, 0, 0, 0, 0, 0);
		use_file(turn, name_end);
		use_network(turn);
		ask_companion();
		if (turn % 16 == 0) start_program(self);
		turn++;
		now = microseconds(1);
	} while (now - began < milliseconds * 1000);
	char *at = digits(text(line, "end "), turn);
	at = digits(text(at, " "), __builtin_ia32_rdtsc() - cycles);
	at = digits(text(at, " "), now - began);
	say(digits(text(at, " "), usage(file) - before));
}

static void prepare(const char *directory)
{
	unsigned int size = sizeof(struct address);
	CALL(MKDIR, directory, 0700, 0, 0, 0, 0);
	if (CALL(PIPE, to_child, 0, 0, 0, 0, 0) < 0 || CALL(PIPE, from_child, 0, 0, 0, 0, 0) < 0) fail("pipe");
	shared = (int *)CALL(MMAP, 0, 4096, 3, 0x21, -1, 0);
	datagrams = (int)CALL(SOCKET, 2, 2, 0, 0, 0, 0);
	listener = (int)CALL(SOCKET, 2, 1, 0, 0, 0, 0);
	if (CALL(BIND, datagrams, &datagram_address, size, 0, 0, 0) < 0) fail("bind");
	if (CALL(BIND, listener, &listen_address, size, 0, 0, 0) < 0) fail("bind");
	CALL(GETSOCKNAME, datagrams, &datagram_address, &size, 0, 0, 0);
	CALL(GETSOCKNAME, listener, &listen_address, &size, 0, 0, 0);
	if (CALL(LISTEN, listener, 16, 0, 0, 0, 0) < 0) fail("listen");
	if (CALL(FORK, 0, 0, 0, 0, 0, 0) == 0) {
		CALL(CLOSE, to_child[1], 0, 0, 0, 0, 0);
		companion();
	}
}

__attribute__((used)) static void run(i64 *stack)
{
	char **arguments = (char **)(stack + 1), order[300];
	if (stack[0] < 2) CALL(EXIT, 0, 0, 0, 0, 0, 0); // a program that was started and has nothing to do
	prepare(arguments[1]);
	char *name_end = text(text(path, arguments[1]), "/f");
	u64 now = microseconds(0);
	char *at = text(digits(text(line, "ready "), now / 1000000), ".");
	for (u64 rest = 100000; rest && now % 1000000 < rest; rest /= 10)
		if (rest > 1) *at++ = '0';
	say(digits(at, now % 1000000));
	for (;;) {
		i64 size = CALL(READ, 0, order, sizeof order - 1, 0, 0, 0);
		if (size <= 1) CALL(EXIT, 0, 0, 0, 0, 0, 0);
		order[size - 1] = 0; // instead of the newline
		u64 milliseconds = 0;
		char *rest = order;
		while (*rest >= '0' && *rest <= '9') milliseconds = milliseconds * 10 + (u64)(*rest++ - '0');
		work(milliseconds, *rest ? rest + 1 : rest, name_end, arguments[0]);
	}
}

__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall run\n");
