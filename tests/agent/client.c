/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library's guest agent client as a program, for tests/agent/debian:
 *
 *	agent-client SOCKET ping|info|interfaces|get PATH|put PATH|exec COMMAND...
 *
 * SOCKET is the agent's, or a running VM's folder of sockets. get and put use standard output and input; exec hands on the input, both outputs, and the status,
 * and says "cut" of an output that is.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "manage/agent_exec.h"
#include "manage/agent_file.h"
#include "manage/agent_guest.h"
#include "manage/control.h"

/* The agent's stream from a VM's control socket. */
static int take(const char *folder)
{
	static struct vmctl c;
	struct err err;

	if (vmctl_connect(&c, folder, &err) || vmctl_agent(&c, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		exit(2);
	}
	return c.fd;
}

static int dial(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		perror(path);
		exit(2);
	}
	return fd;
}

/* Standard input to its end; the caller frees it. */
static char *slurp(size_t *len)
{
	size_t room = 1 << 16, n;
	char *data = malloc(room);

	*len = 0;
	while (data && (n = fread(data + *len, 1, room - *len, stdin)) > 0) {
		*len += n;
		if (*len == room)
			data = realloc(data, room *= 2);
	}
	if (!data)
		exit(2);
	return data;
}

static int run(struct agent *a, const char *const *argv, struct err *err)
{
	struct agent_exec what = { .argv = argv };
	struct agent_result r;
	char *input = slurp(&what.input_len);
	int ret;

	what.input = input;
	ret = agent_exec(a, &what, &r, err);
	free(input);
	if (ret)
		return ret;
	fwrite(r.out.data, 1, r.out.len, stdout);
	fwrite(r.err.data, 1, r.err.len, stderr);
	if (r.out.cut || r.err.cut)
		fputs("cut\n", stderr);
	ret = r.status;
	agent_result_fini(&r);
	return ret;
}

static int show(int ret, json_t *value)
{
	if (!ret)
		json_dumpf(value, stdout, 0);
	json_decref(value);
	return ret;
}

static int act(struct agent *a, char **argv, struct err *err)
{
	json_t *value = NULL;
	int ret;

	if (!strcmp(argv[0], "exec"))
		return run(a, (const char *const *)argv + 1, err);
	if (!strcmp(argv[0], "get"))
		return agent_file_get(a, argv[1], STDOUT_FILENO, NULL, NULL, err);
	if (!strcmp(argv[0], "put"))
		return agent_file_put(a, STDIN_FILENO, argv[1], NULL, NULL, err);
	if (!strcmp(argv[0], "info")) {
		ret = agent_info(a, &value, err);
		return show(ret, value);
	}
	if (!strcmp(argv[0], "interfaces")) {
		ret = agent_interfaces(a, &value, err);
		return show(ret, value);
	}
	return agent_ping(a, err);
}

int main(int argc, char **argv)
{
	struct err err = { "" };
	struct agent_io io;
	struct agent a;
	struct stat st;
	int ret;

	if (argc < 3)
		return 2;
	io = agent_io_socket(stat(argv[1], &st) || !S_ISDIR(st.st_mode) ? dial(argv[1]) :
			     take(argv[1]));
	agent_init(&a, &io, "debian");
	ret = act(&a, argv + 2, &err);
	if (ret < 0)
		fprintf(stderr, "%s\n", err.msg);
	agent_fini(&a);
	return ret < 0 ? 255 : ret;
}
