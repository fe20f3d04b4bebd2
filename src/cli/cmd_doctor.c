/* SPDX-License-Identifier: Apache-2.0 */
/* hospes doctor: what this host can do, what is missing, and what helps. */
#include <jansson.h>
#include <stdio.h>

#include "base/bits.h"
#include "cli/checks.h"
#include "cli/command.h"

struct doctor_args {
	bool json;
};

static const struct opt doctor_opts[] = {
	{ "json", 0, NULL,
	  "Print one JSON object: \"ok\", whether VMs can run, and \"checks\", a list of objects with "
	  "\"name\", \"status\" (ok, note or missing), \"text\" and \"remedy\".",
	  opts_set_flag, offsetof(struct doctor_args, json), 0 },
	{ 0 },
};

static const char *const status_words[] = {
	[CHECK_OK] = "ok",
	[CHECK_NOTE] = "note",
	[CHECK_MISSING] = "missing",
};
_Static_assert(ARRAY_LEN(status_words) == CHECK_MISSING + 1, "every status has its word");

/* Both return the number of findings that keep VMs from running. */
static unsigned print_text(void)
{
	unsigned missing = 0, notes = 0;
	struct finding f;

	for (unsigned i = 0; i < checks_count(); i++) {
		checks_run(i, &f);
		missing += f.status == CHECK_MISSING;
		notes += f.status == CHECK_NOTE;
		printf("%-8s %-16s %s\n", status_words[f.status], checks_name(i), f.text);
		if (f.remedy[0])
			printf("%-8s %-16s remedy: %s\n", "", "", f.remedy);
	}
	if (missing)
		printf("\nVMs cannot run here as it is: %u missing, see above.\n", missing);
	else
		printf("\nVMs can run here; %u %s.\n", notes, notes == 1 ? "note" : "notes");
	return missing;
}

static unsigned print_json(void)
{
	json_t *list = json_array(), *root;
	unsigned missing = 0;
	struct finding f;

	for (unsigned i = 0; i < checks_count(); i++) {
		checks_run(i, &f);
		missing += f.status == CHECK_MISSING;
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "name", checks_name(i),
						      "status", status_words[f.status], "text", f.text,
						      "remedy", f.remedy));
	}
	root = json_pack("{s:b, s:o}", "ok", missing == 0, "checks", list);
	json_dumpf(root, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(root);
	return missing;
}

static int doctor_run(const struct command *self, int argc, char **argv)
{
	struct doctor_args args = { 0 };
	struct opts_found found;
	int status;

	if (!command_parse(self, argc, argv, &args, &found, &status))
		return status;
	if (found.operand_count)
		return command_fail(CLI_USAGE, "'%.80s' is one argument too many: doctor takes none",
				    found.operand[0]);
	return (args.json ? print_json() : print_text()) ? CLI_FAILED : CLI_OK;
}

static const char *const doctor_text[] = {
	"Looks at this host: what VMs need, what makes them quicker or safer, what building images takes. "
	"Each line begins with ok, with note (VMs run, but something is lost) or with missing (they do "
	"not), and is followed by the remedy where there is one. Nothing is changed.",
	NULL
};

static const struct command_note doctor_exits[] = {
	{ "0", "VMs can run on this host." },
	{ "1", "Something that they need is missing." },
	{ "2", "The command line was wrong." },
	{ NULL, NULL },
};

const struct command command_doctor = {
	.name = "doctor",
	.summary = "say what this host can do and what is missing",
	.operands = "",
	.about = doctor_text,
	.opts = doctor_opts,
	.exits = doctor_exits,
	.run = doctor_run,
};
