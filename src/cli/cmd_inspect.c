/* SPDX-License-Identifier: Apache-2.0 */
/* hospes inspect: all that is known of virtual machines. */
#include <errno.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/describe.h"
#include "cli/list.h"
#include "manage/control.h"

struct inspect_args {
	bool json;
};

static const struct opt inspect_opts[] = {
	{ "json", 0, NULL, "Print JSON, as it does anyway; for scripts that give it to every command.",
	  opts_set_flag, offsetof(struct inspect_args, json), 0 },
	{ 0 },
};

/* How it ended the last time, if it has. */
static int add_end(json_t *obj, const char *dir, struct err *err)
{
	struct vmctl_end end;
	int rc = vmctl_read_end(&end, dir, err);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	return json_object_set_new(obj, "ended", json_pack("{s:s, s:i, s:s, s:I, s:I}", "reason", end.reason,
							   "code", end.code, "text", end.text, "started",
							   end.started, "ended", end.ended))
		       ? err_set(err, -ENOMEM, "out of memory") : 0;
}

static int inspect_one(struct store *s, const char *ref, json_t *rows, struct err *err)
{
	char dir[STORE_PATH_MAX], path[STORE_PATH_MAX];
	struct store_vm vm;
	json_t *obj;
	int rc = store_find_vm(s, ref, &vm, err);

	if (!rc)
		rc = store_path(s, dir, sizeof(dir), err, "vms/%s", vm.id);
	if (!rc)
		rc = store_path(s, path, sizeof(path), err, "vms/%s/config.json", vm.id);
	if (rc)
		return rc;
	obj = describe_vm(s, &vm);
	if (json_array_append_new(rows, obj) || json_object_set_new(obj, "folder", json_string(dir)))
		return err_set(err, -ENOMEM, "out of memory");
	/* Where it cannot be read, "problem" says why. */
	json_object_set_new(obj, "config", json_load_file(path, 0, NULL));
	return add_end(obj, dir, err);
}

static int inspect_run(const struct command *self, int argc, char **argv)
{
	struct inspect_args args = { 0 };
	struct opts_found found;
	struct store store;
	struct err err;
	json_t *rows;
	int status, rc = 0;

	if (!command_parse(self, argc, argv, &args, &found, &status))
		return status;
	if (!found.operand_count)
		return command_fail(CLI_USAGE, "inspect needs the name or id of a VM (see 'hospes help "
				    "inspect')");
	if (store_open(&store, &err))
		return command_fail(CLI_FAILED, "%s", err.msg);
	rows = json_array();
	for (unsigned i = 0; !rc && i < found.operand_count; i++)
		rc = inspect_one(&store, found.operand[i], rows, &err);
	store_close(&store);
	if (rc)
		json_decref(rows);
	else
		rc = list_print_json(rows, &err);
	return rc ? command_fail(CLI_FAILED, "%s", err.msg) : CLI_OK;
}

static const char *const inspect_text[] = {
	"Prints all that is known of virtual machines as a JSON array: what 'hospes ps --json' has, the "
	"folder, the whole configuration, and how the VM ended the last time.",
	NULL
};

const struct command command_inspect = {
	.name = "inspect",
	.summary = "show all that is known of virtual machines",
	.operands = "VM...",
	.about = inspect_text,
	.opts = inspect_opts,
	.run = inspect_run,
};
