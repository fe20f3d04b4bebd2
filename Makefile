# SPDX-License-Identifier: Apache-2.0
# What people type. Meson and Ninja do the building; tools/ does the rest.

BUILD ?= build
MESON ?= meson
NINJA ?= ninja
PREFIX ?= /usr/local
IMAGE ?= debian
FUZZ_SECONDS ?= 600

.PHONY: all run check check-asan check-ubsan check-tsan fuzz bench cover install clean help

all: $(BUILD)/build.ninja
	@$(NINJA) -C $(BUILD)

$(BUILD)/build.ninja:
	@tools/setup --check build
	$(MESON) setup $(BUILD) --prefix $(PREFIX)

run:
	@tools/setup build image
	@$(MAKE) --no-print-directory all
	@tools/build-image
	@HOSPES_BUILD=$(BUILD) tools/demo $(IMAGE)

# The closing line is the last thing printed, so nothing may follow tools/check.
check:
	@tools/setup build test
	@$(MAKE) --no-print-directory all
	@tools/setup image && tools/build-image || \
	  echo 'make check: no demo image; the tests that boot it are skipped'
	@tools/check $(BUILD)

# One build folder for each sanitizer: objects of different ones do not mix. One without a
# build.ninja is what an interrupted or failed set-up left; Meson would not finish it. What they
# slow down most, whole guests booting, is left to `check`.
sanitized = tools/setup build test && \
	{ [ -e build-$(1)/build.ninja ] || { rm -rf build-$(1) && \
	  $(MESON) setup build-$(1) -Db_sanitize=$(2) -Db_lundef=false; }; } && \
	$(NINJA) -C build-$(1) && \
	tools/check --no-suite boot --no-suite bench --timeout-multiplier 8 build-$(1)

check-asan:
	@ASAN_OPTIONS=abort_on_error=1:detect_stack_use_after_return=1 \
	  $(SHELL) -c '$(call sanitized,asan,address)'

check-ubsan:
	@UBSAN_OPTIONS=halt_on_error=1:abort_on_error=1:print_stacktrace=1 \
	  $(SHELL) -c '$(call sanitized,ubsan,undefined)'

check-tsan:
	@TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1 \
	  $(SHELL) -c '$(call sanitized,tsan,thread)'

fuzz:
	@tools/setup build test
	@$(MAKE) --no-print-directory all
	@tests/isa/fuzz --hospes $(BUILD)/hospes --runtime $(BUILD)/tests/isa/fuzz_rt.elf \
	  --count 100000
	@tests/fuzz/run --seconds $(FUZZ_SECONDS)

bench:
	@tools/setup build test
	@$(MAKE) --no-print-directory all
	@bench/run $(BUILD)
	@bench/store --build $(BUILD)

cover:
	@tools/setup build test
	@[ -e build-cover/build.ninja ] || { rm -rf build-cover && \
	  $(MESON) setup build-cover -Db_coverage=true; }
	@$(NINJA) -C build-cover
	@tools/check --no-suite bench build-cover
	@$(NINJA) -C build-cover coverage-text
	@cat build-cover/meson-logs/coverage.txt

install: all
	@$(MESON) install -C $(BUILD) --no-rebuild

clean:
	rm -rf $(BUILD) build-asan build-ubsan build-tsan build-cover

help:
	@echo 'make              build into $(BUILD)/'
	@echo 'make run          install what is missing, build, boot the demo image'
	@echo 'make check        every test; ends in "N passed, N failed, N skipped"'
	@echo 'make check-asan   the tests under AddressSanitizer; also check-ubsan, check-tsan'
	@echo 'make fuzz         the fuzzers, FUZZ_SECONDS=$(FUZZ_SECONDS) in all'
	@echo 'make bench        the benchmarks'
	@echo 'make cover        the tests with line coverage'
	@echo 'make install      into PREFIX=$(PREFIX); DESTDIR is honoured'
	@echo 'make clean        remove what was built'
