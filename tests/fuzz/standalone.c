/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The main program of a fuzz target where libFuzzer is not linked: runs files, then random
 * inputs for a while, and reports in TAP.
 *
 *	fuzz_NAME [--seconds N] [--runs N] [--seed S] [FILE or FOLDER ...]
 *
 * Random input number i of seed S is always the same, so "--seed S --first I --runs 1" repeats
 * what a crash reports.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

enum { MAX_BYTES = 4096 };

static char current[512];		/* what is being run, for the crash's message */

static void on_crash(int sig)
{
	static const char head[] = "# died while running ";

	if (write(STDERR_FILENO, head, sizeof(head) - 1) > 0 &&
	    write(STDERR_FILENO, current, strlen(current)) > 0 && write(STDERR_FILENO, "\n", 1) > 0)
		signal(sig, SIG_DFL);
	signal(sig, SIG_DFL);
	raise(sig);
}

static void on_exit_within(void)
{
	if (current[0])
		fprintf(stderr, "# exit while running %s\n", current);
}

static uint64_t mix(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void run_random(uint64_t seed, uint64_t n)
{
	static uint8_t buf[MAX_BYTES];
	uint64_t state = seed ^ n * UINT64_C(0xd1342543de82ef95);
	const size_t size = mix(&state) % (mix(&state) % 4 ? 256 : MAX_BYTES);

	snprintf(current, sizeof(current), "--seed %llu --first %llu --runs 1",
		 (unsigned long long)seed, (unsigned long long)n);
	for (size_t i = 0; i < size; i++)
		buf[i] = (uint8_t)(mix(&state) >> 56);
	LLVMFuzzerTestOneInput(buf, size);
	current[0] = 0;
}

static unsigned run_path(const char *path)
{
	static uint8_t buf[1 << 20];
	struct dirent *entry;
	char inner[4096];
	unsigned count = 0;
	struct stat st;
	size_t size;
	DIR *dir;
	FILE *f;

	if (stat(path, &st)) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(2);
	}
	if (S_ISDIR(st.st_mode)) {
		dir = opendir(path);
		while (dir && (entry = readdir(dir))) {
			snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
			if (entry->d_type == DT_REG)
				count += run_path(inner);
		}
		if (dir)
			closedir(dir);
		return count;
	}
	f = fopen(path, "rb");
	if (!f) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(2);
	}
	size = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	snprintf(current, sizeof(current), "%s", path);
	LLVMFuzzerTestOneInput(buf, size);
	current[0] = 0;
	return 1;
}

static uint64_t number(const char *text)
{
	char *end;
	const uint64_t value = strtoull(text ? text : "", &end, 0);

	if (!text || !*text || *end) {
		fprintf(stderr, "%s is no number\n", text ? text : "nothing");
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGALRM };
	uint64_t seconds = 0, runs = 0, first = 0, seed, i, files = 0;
	struct timespec now, start;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = (uint64_t)now.tv_sec * 1000000007 + (uint64_t)now.tv_nsec;
	for (i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		signal(signals[i], on_crash);
	atexit(on_exit_within);
	for (int a = 1; a < argc; a++) {
		if (!strcmp(argv[a], "--seconds"))
			seconds = number(argv[++a]);
		else if (!strcmp(argv[a], "--runs"))
			runs = number(argv[++a]);
		else if (!strcmp(argv[a], "--first"))
			first = number(argv[++a]);
		else if (!strcmp(argv[a], "--seed"))
			seed = number(argv[++a]);
		else
			files += run_path(argv[a]);
	}
	printf("1..1\n");
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (i = 0; i < runs || seconds; i++) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (seconds && (uint64_t)(now.tv_sec - start.tv_sec) >= seconds)
			break;
		run_random(seed, first + i);
	}
	printf("ok 1 - %llu files, %llu random inputs of seed %llu\n", (unsigned long long)files,
	       (unsigned long long)i, (unsigned long long)seed);
	return 0;
}
