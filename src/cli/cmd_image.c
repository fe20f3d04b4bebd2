/* SPDX-License-Identifier: Apache-2.0 */
/* hospes image: bring images into the store and out of it. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "cli/image.h"
#include "cli/vmprocess.h"

enum {
	OPT_ARCH = 1,
	OPT_SHA256 = 2,
	OPT_FORCE = 4,
	OPT_UNCHECKED = 8,
	OPT_QUIET = 16,
	OPT_JSON = 32,
};

static const struct opt image_opts[] = {
	{"arch", 0, "ARCH",
	 "import, pull: what the image's programs run on: riscv64 (the default).", opts_set_text,
	 offsetof(struct image_args, arch), OPT_ARCH},
	{"sha256", 0, "HEX",
	 "pull: the SHA-256 of the file at URL; what is not that is thrown away. "
	 "Images of a catalogue have it there.",
	 opts_set_text, offsetof(struct image_args, sha256), OPT_SHA256},
	{"force", 'f', NULL,
	 "import, pull: replace the image NAME; export: replace FILE; "
	 "rm: also an image that VMs were made of.",
	 opts_set_flag, offsetof(struct image_args, force), OPT_FORCE},
	{"unchecked", 0, NULL,
	 "import, pull: also a disk on which no boot loader and kernel are found.", opts_set_flag,
	 offsetof(struct image_args, unchecked), OPT_UNCHECKED},
	{"quiet", 'q', NULL, "Say nothing but errors.", opts_set_flag,
	 offsetof(struct image_args, quiet), OPT_QUIET},
	{"json", 0, NULL, "ls: a JSON array.", opts_set_flag, offsetof(struct image_args, json),
	 OPT_JSON},
	{0},
};

static const struct {
	const char *name, *operands;
	unsigned fewest, most, options;
} verbs[] = {
#define VERB(name, operands, fewest, most, options) { #name, operands, fewest, most, options },
#include "cli/image_verbs.def"
#undef VERB
};

bool image_parse(const struct command *self, int argc, char **argv, struct image_args *args,
		 int *status)
{
	struct opts_found found;
	size_t i = 0;

	memset(args, 0, sizeof(*args));
	if (!command_parse(self, argc, argv, args, &found, status))
		return false;
	*status = CLI_USAGE;
	if (!found.operand_count) {
		command_fail(CLI_USAGE,
			     "image needs to be told what to do (see 'hospes help image')");
		return false;
	}
	while (i < ARRAY_LEN(verbs) && strcmp(verbs[i].name, found.operand[0]))
		i++;
	if (i == ARRAY_LEN(verbs)) {
		command_fail(CLI_USAGE, "there is no 'image %.80s' (see 'hospes help image')",
			     found.operand[0]);
		return false;
	}
	if (found.operand_count - 1 < verbs[i].fewest || found.operand_count - 1 > verbs[i].most) {
		command_fail(CLI_USAGE, "it is 'hospes image %s%s%s' (see 'hospes help image')",
			     verbs[i].name, *verbs[i].operands ? " " : "", verbs[i].operands);
		return false;
	}
	for (const struct opt *o = image_opts; o->name; o++)
		if (found.tags & o->tag & ~verbs[i].options) {
			command_fail(CLI_USAGE,
				     "image %s does not take --%s (see 'hospes help image')",
				     verbs[i].name, o->name);
			return false;
		}
	args->verb = verbs[i].name;
	args->first = found.operand_count > 1 ? found.operand[1] : NULL;
	args->second = found.operand_count > 2 ? found.operand[2] : NULL;
	return true;
}

static int image_run(const struct command *self, int argc, char **argv)
{
	char program[PATH_MAX];
	struct image_args args;
	struct err err;
	int status;

	if (!image_parse(self, argc, argv, &args, &status))
		return status;
	if (vmprocess_program(program, sizeof(program), "hospes-image", &err))
		return command_fail(CLI_FAILED, "%s", err.msg);
	execv(program, argv);
	return command_fail(CLI_FAILED, "%s cannot be started: %s", program, strerror(errno));
}

static const char *const image_text[] = {
	"Brings images, the disks that VMs are made from, into the store and out of it. The store "
	"knows a disk by its SHA-256 and keeps it once, whatever names it has; it is never "
	"changed.",
	"import FILE NAME: takes the disk in FILE, raw or (FILE ends in .zst) compressed with "
	"zstd. Its partitions and ext file systems are looked at, without mounting them: a disk must "
	"have a boot loader's menu (extlinux.conf) and a kernel, or an EFI system partition, whose "
	"files are not looked at.",
	"export NAME FILE: writes the image's disk to FILE, compressed if that ends in .zst, and "
	"prints FILE's SHA-256.",
	"pull URL NAME --sha256 HEX, pull NAME [NAME]: downloads a disk over http, https or from a "
	"file: URL, goes on where an earlier download stopped, and imports it. Without a URL, the "
	"catalogue says where the image is; the second NAME is what it is called here. The "
	"catalogue of a user is ~/.config/hospes/catalogue.json: {\"NAME\": {\"url\": ..., \"sha256\": ..., "
	"\"arch\": \"riscv64\", \"size\": BYTES}}.",
	"ls: lists the images. rm NAME: removes the name, and the disk if that was its last one.",
	"verify NAME: reads the image's disk and checks that it still has its SHA-256.",
	NULL
};

static const struct command_note image_examples[] = {
	{"hospes image import disk.raw mine",
	 "An image called mine; 'hospes run mine' starts a VM of it."},
	{"hospes image export mine mine.raw.zst", "To take it elsewhere."},
	{"hospes image pull https://example.org/mine.raw.zst mine --sha256 0123...",
	 "From a server; the sum is what export printed."},
	{NULL, NULL},
};

const struct command command_image = {
	.name = "image",
	.summary = "bring images in and out, list and remove them",
	.operands = "VERB ARGUMENT...",
	.about = image_text,
	.opts = image_opts,
	.examples = image_examples,
	.run = image_run,
};
