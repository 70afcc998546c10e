# SPDX-License-Identifier: MIT
# Makefile - the whole tree in one file; `make help` lists the targets
#
# Not recursive: every rule is here.  The tree is the list: a new source, test
# or man page in its folder is found by wildcard and needs no edit.  `check` and
# `run` start make once more after `deps`, because what pkg-config answers is
# only known when the packages are installed.

CFLAGS   ?= -O2 -g
PREFIX   ?= /usr/local
DESTDIR  ?=
SAN      ?=# address,undefined or thread
V        ?= 0
WERROR   ?= 0
JOBS     ?= 1
FUZZ_S   ?= 5
STRESS_S ?= 5
FUZZCC   ?= clang
BPFCC    ?= clang
BPF      ?= 1# 0: without the programs in the kernel, and without libbpf
NM       ?= nm
OBJCOPY  ?= objcopy
PKG_CONFIG ?= pkg-config
ARCHS    ?= mips64el aarch64 riscv64 loongarch64# of `make cross`

comma := ,
B     ?= build$(if $(SAN),-$(subst $(comma),-,$(SAN)))
TOP   := $(CURDIR)
BABS   = $(abspath $B)

VERSION := 0.1.0
SOMAJOR := 0

# Debian 12 packages.  The library needs libc alone; daemon and tools need
# DEPS_BUILD.  `make run` adds DEPS_RUN, the tests and the checkers DEPS,
# `make bench` measures the peers of DEPS_BENCH, and what boots guests DEPS_VM.
DEPS_BUILD := gcc libbpf-dev libc6-dev libhwloc-dev libjansson-dev libuv1-dev \
	make pkgconf
DEPS_RUN   := gnuplot-nox jq libmpich-dev mpich util-linux
DEPS := $(DEPS_BUILD) $(DEPS_RUN) bpftool bsdextrautils clang clang-format \
	clang-tidy cppcheck g++ git libclang-rt-14-dev libcmocka-dev mandoc \
	python3-minimal shellcheck spin strace
DEPS_BENCH := $(DEPS_RUN) libopenmpi-dev openmpi-bin ucx-utils
# `make cross` unpacks its compilers and libraries in the build folder.
DEPS_CROSS := jq make pkgconf xz-utils
# Guests for `make run-vm` and `make check-vm`; their kernel is unpacked alone.
DEPS_VM := binutils busybox-static cpio kmod qemu-system-x86
# The Loongson machine of `make check-loongson`: what the emulator, which is
# unpacked alone, is linked with.
DEPS_LOONGSON := cpio libaio1 libbpf1 libcapstone4 libfdt1 libglib2.0-0 \
	libgnutls30 libibverbs1 libjpeg62-turbo libnuma1 libpixman-1-0 libpmem1 \
	libpng16-16 librdmacm1 libsasl2-2 libseccomp2 libslirp0 libudev1 \
	liburing2 libvdeplug2 libzstd1 util-linux

# ---- flags ------------------------------------------------------------------

FLAGS := -std=c11 -D_GNU_SOURCE -Iinclude -I. -fPIC -fvisibility=hidden -MMD -MP
FLAGS += -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wvla
FLAGS += -Wstrict-prototypes -Wmissing-prototypes
FLAGS += -DSNOO_VERSION='"$(VERSION)"'
FLAGS += $(if $(filter 1,$(WERROR)),-Werror)
FLAGS += $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer)
FLAGS += $(if $(findstring undefined,$(SAN)),-fno-sanitize-recover=undefined)
# TSan does not model fences; tests/model/ covers the edges that stand on them.
FLAGS += $(if $(findstring thread,$(SAN)),$(shell $(CC) -Werror -Wtsan -x c -c \
	 -o /dev/null /dev/null 2>/dev/null && echo -Wno-tsan))

# clang's sanitizer runtime is not linked into shared objects.
ZDEFS := $(if $(and $(SAN),$(findstring clang,$(CC))),,-Wl,-z,defs)

say = $(if $(filter 1,$V),,@printf '  %-7s %s\n' $1 $(patsubst $B/%,%,$@);)

# ---- layers -----------------------------------------------------------------

# Lowest first.
LAYERS := shm hal client daemon
# One of the two goes with the daemon.
BPF_NOT := daemon/telemetry_$(if $(filter 0,$(BPF)),bpf,none).c
src     = $(wildcard $1/*.c $1/*/*.c)
# obj LAYERS [TREE]: the objects of some layers, in $B/obj or $B/TREE/obj.
srcs    = $(filter-out %.bpf.c $(BPF_NOT),$(foreach l,$1,$(call src,$l)))
obj     = $(patsubst %.c,$B$(if $2,/$2)/obj/%.o,$(call srcs,$1))
# lib LAYERS [TREE]: the same as archives, highest layer first for the linker.
lib     = $(foreach l,$1,$B$(if $2,/$2)/obj/$l.a)

# What each layer stands on.  tools/layers.awk holds the same table for
# #include lines; this one is checked by the linker (target "layers").
shm_NEEDS    :=
hal_NEEDS    := shm
client_NEEDS := hal shm
daemon_NEEDS := hal shm
daemon_LIBS  := $(shell $(PKG_CONFIG) --libs libuv jansson hwloc \
		  $(if $(filter 0,$(BPF)),,libbpf) 2>/dev/null)
tools_LIBS   := -Wl,--as-needed -luv -ljansson -lm

# needs FILE [LAYER]: the layers whose headers a test or bench program includes;
# with a fixture of tests/lib/, also what the fixtures include.
inc   = $(shell sed -n 's/^\#[ \t]*include[ \t]*["<]\([a-z_]*\)\/\([a-z_]*\).*/\1 \1\/\2/p' $1 2>/dev/null)
needs = $(call needs1,$2 $(call inc,$1))
needs1 = $(call needs2,$1 $(if $(filter tests/lib,$1),$(LIB_INC)))
needs2 = $(if $(filter tools,$1),tools) $(if $(filter daemon,$1),daemon) \
	 $(if $(filter client snoo/snoo snoo/snoo_mpi,$1),client) hal shm
LIB_INC := $(if $(wildcard tests/lib/*.c),$(call inc,$(wildcard tests/lib/*.c)))
libs  = $(if $(filter daemon,$1),$(daemon_LIBS))

# ---- what there is ----------------------------------------------------------

HAVE_CLIENT := $(wildcard client/*.c)
TOOL_SRC    := $(wildcard tools/*.c)
TOOLS       := $(if $(wildcard tools/snooctl.c),snooctl) \
	       $(if $(wildcard tools/snoorun.c),snoorun)
PROGS       := $(strip $(if $(wildcard daemon/main.c),snoo-daemon) $(TOOLS))
TOOL_SHARED := $(filter-out tools/snooctl%.c tools/snoorun%.c,$(TOOL_SRC))
with_main    = $(if $(strip $1),$(shell grep -lwE '^int main' $1))
BENCH       := $(call with_main,$(wildcard bench/*.c))
MICRO       := $(call with_main,$(wildcard bench/micro/*.c))
BENCH_SHARED := $(filter-out $(BENCH) $(MICRO),$(wildcard bench/*.c bench/micro/*.c))
EXAMPLES    := $(wildcard examples/*.c)
MAN         := $(sort $(wildcard doc/man/*.[1-9]))
HEADERS     := $(wildcard include/snoo/snoo.h include/snoo/snoo_mpi.h \
		 include/snoo/error.h)
SONAME      := libsnoo-client.so.$(SOMAJOR)

LIBRARY := $(if $(HAVE_CLIENT),$B/lib/$(SONAME) $B/lib/libsnoo-client.so \
	     $B/lib/libsnoo-client.a $B/lib/pkgconfig/snoo-client.pc)
EXAMPLE_BIN := $(if $(HAVE_CLIENT),$(EXAMPLES:examples/%.c=$B/examples/%))
BENCH_BIN   := $(if $(HAVE_CLIENT),$(BENCH:bench/%.c=$B/bench/%)) \
	       $(MICRO:bench/micro/%.c=$B/bench/micro/%)

.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
.PHONY: all help run check unit abi abi-bless layers headers hal model mutants \
	stress crash fuzz platform e2e bench bench-quick tidy cppcheck format \
	format-check map man install uninstall deps deps-bench deps-vm \
	deps-cross clean \
	run-vm check-vm check-loongson deps-loongson loongson-there \
	loongson-cross tests check.run \
	cross cross.all lib progs examples shellcheck

all: progs lib examples $(BENCH_BIN) ## build programs, library, examples, bench

progs: $(PROGS:%=$B/bin/%)
lib: $(LIBRARY)
examples: $(EXAMPLE_BIN)

help: ## list the targets
	@sed -n 's/^\([a-z0-9 -]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | \
		awk -F'\t' '{ printf "  %-14s %s\n", $$1, $$2 }'
	@printf '\n  variables: CC CFLAGS SAN=address,undefined|thread B V=1 WERROR=1\n'
	@printf '  PREFIX DESTDIR KINDS="unit e2e ..." TESTS=word JOBS=N FUZZ_S STRESS_S\n'

# ---- compile and link -------------------------------------------------------

# The test-point tree: the same sources, every step that a peer can see named.
tp_FLAGS   := -DSNOO_TESTPOINTS
# The fuzz tree: clang, instrumented.
fuzz_FLAGS := -fsanitize=fuzzer-no-link,address,undefined \
	      -fno-sanitize-recover=undefined -fno-omit-frame-pointer
FUZZ_BASE   = $(filter-out -fsanitize=% -Werror,$(FLAGS)) $(fuzz_FLAGS)

$B/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(FLAGS) $(EXTRA) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<
$B/tp/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(FLAGS) $(tp_FLAGS) $(EXTRA) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<
$B/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,FUZZCC)$(FUZZCC) $(FUZZ_BASE) $(EXTRA) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# Archives: a test links what it needs; main.o of the daemon never.
ar = @mkdir -p $(@D); rm -f $@; $(AR) rcs $@ $(filter %.o,$^)
define archives
$B/$1obj/tools.a: $(TOOL_SHARED:%.c=$B/$1obj/%.o)
	$$(ar)
$B/$1obj/bench.a: $(BENCH_SHARED:%.c=$B/$1obj/%.o)
	$$(ar)
$B/$1obj/testlib.a: $(patsubst %.c,$B/$1obj/%.o,$(wildcard tests/lib/*.c))
	$$(ar)
$(foreach l,$(LAYERS),
$B/$1obj/$l.a: $(filter-out %/main.o,$(call obj,$l,$(1:/=)))
	$$(ar)
)
endef
$(eval $(call archives,))
$(eval $(call archives,tp/))
$(eval $(call archives,fuzz/))

LD = $(call say,LD)$(CC) $(FLAGS) $(CFLAGS) $(LDFLAGS)

# Programs and library, for the plain tree and for the one with test points.
define programs
$B/$1bin/snoo-daemon: $B/$1obj/daemon/main.o $(call lib,daemon $(daemon_NEEDS),$(1:/=))
	@mkdir -p $$(@D)
	$$(LD) -o $$@ $$^ $$(daemon_LIBS)
$(foreach t,$(TOOLS),
$B/$1bin/$t: $(patsubst %.c,$B/$1obj/%.o,$(wildcard tools/$t*.c)) $B/$1obj/tools.a $(if $(HAVE_CLIENT),$B/$1lib/libsnoo-client.a)
	@mkdir -p $$(@D)
	$$(LD) -o $$@ $$^ $$(tools_LIBS)
)
$B/$1lib/$(SONAME): $(call obj,client $(client_NEEDS),$(1:/=)) client/libsnoo-client.map
	@mkdir -p $$(@D)
	$$(LD) -shared $$(ZDEFS) -Wl,-soname,$(SONAME) \
		-Wl,--version-script=client/libsnoo-client.map -o $$@ $$(filter %.o,$$^)
$B/$1lib/libsnoo-client.so: $B/$1lib/$(SONAME)
	@ln -sf $(SONAME) $$@
# Helpers are renamed, so that none can meet an application's function of the
# same name.  To make them local would be neater, but a call from one object to
# another stays, on MIPS, one that has to find a global name.
$B/$1lib/libsnoo-client.a: $(call obj,client $(client_NEEDS),$(1:/=)) Makefile
	@mkdir -p $$(@D)
	$$(call say,AR)$$(CC) -r -nostdlib -o $B/$1lib/snoo-client.o $$(filter %.o,$$^) && \
		$(NM) -g --defined-only $B/$1lib/snoo-client.o | \
		awk '$$$$3 !~ /^(snoo|SNOO)_/ { print $$$$3, "snoo_own_" $$$$3 }' \
			>$B/$1lib/snoo-client.names && \
		$(OBJCOPY) --redefine-syms=$B/$1lib/snoo-client.names \
			$B/$1lib/snoo-client.o && \
		rm -f $$@ && $(AR) rcs $$@ $B/$1lib/snoo-client.o && \
		rm -f $B/$1lib/snoo-client.o $B/$1lib/snoo-client.names
endef
$(eval $(call programs,))
$(eval $(call programs,tp/))

$B/lib/pkgconfig/snoo-client.pc: client/snoo-client.pc.in Makefile
	@mkdir -p $(@D)
	@sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@VERSION@|$(VERSION)|g' $< >$@

$B/examples/%: $B/obj/examples/%.o $B/lib/libsnoo-client.so
	@mkdir -p $(@D)
	$(LD) -o $@ $< -L$B/lib -lsnoo-client '-Wl,-rpath,$$ORIGIN/../lib'
$B/bench/%: $B/obj/bench/%.o $B/obj/bench.a $B/lib/libsnoo-client.so
	@mkdir -p $(@D)
	$(LD) -o $@ $< $B/obj/bench.a -L$B/lib -lsnoo-client -lm '-Wl,-rpath,$$ORIGIN/../lib'

# program OUT SOURCES TREE LAYERS LIBS SHARED: a test or bench program, linked
# with what its kind shares and the archives of the layers it includes.
define program
$1: $(patsubst %.c,$B/$3obj/%.o,$2) $B/$3obj/$(or $6,testlib).a $(call lib,$4,$(3:/=))
	@mkdir -p $$(@D)
	$$(LD) -o $$@ $$(filter %.o %.a,$$^) $5 $(call libs,$4) -lm
endef

$(foreach s,$(MICRO),$(eval $(call program,$B/$(s:%.c=%),$s,,$(call needs,$s $(BENCH_SHARED)),,bench)))
$(MICRO:%.c=$B/%): $B/obj/bench.a

# ---- BPF --------------------------------------------------------------------

# daemon/bpf/x.bpf.c becomes daemon/bpf/x.skel.h in the build folder; only
# daemon/telem*.c sees it.
BPF_C := $(if $(filter 0,$(BPF)),,$(wildcard daemon/bpf/*.bpf.c))
SKEL := $(BPF_C:%.bpf.c=$B/gen/%.skel.h)
BPF_INC := $(patsubst %,-I%,$(wildcard /usr/include/$(shell uname -m)-linux-gnu))
ARCH := $(patsubst x86_64,x86,$(patsubst aarch64,arm64,$(shell uname -m)))

$B/gen/%.bpf.o: %.bpf.c $(wildcard daemon/bpf/*.h)
	@mkdir -p $(@D)
	$(call say,BPF)$(BPFCC) -target bpf -D__TARGET_ARCH_$(ARCH) -O2 -g -Wall \
		-I. -Iinclude $(BPF_INC) -c -o $@ $<
$B/gen/%.skel.h: $B/gen/%.bpf.o
	$(call say,SKEL)PATH=$$PATH:/usr/sbin bpftool gen skeleton $< >$@
TELEM_OBJ := $(foreach t,obj tp/obj fuzz/obj,\
	       $(patsubst %.c,$B/$t/%.o,$(wildcard daemon/telem*.c)))
ifneq ($(BPF_C),)
$(TELEM_OBJ): EXTRA := -isystem $B/gen
$(TELEM_OBJ): $(SKEL)
endif

# ---- tests ------------------------------------------------------------------

# A kind is a folder of tests/ or a check of the whole tree.  `vm` and `loongson`
# are left to `make check-vm` and `make check-loongson`: they boot machines.
ALL_KINDS := layers headers abi unit hal platform model mutants fuzz crash \
	     stress e2e man
KINDS ?= $(ALL_KINDS)
TESTS ?=

scripts = $(sort $(wildcard tests/$1/*.sh))
progs_of = $(patsubst tests/%.c,$B/tests/%,$1)

unit_C     := $(sort $(wildcard tests/unit/*/test_*.c))
hal_C      := $(sort $(wildcard tests/hal/test_*.c))
platform_C := $(sort $(call with_main,$(wildcard tests/platform/*.c)))
crash_C    := $(sort $(call with_main,$(wildcard tests/crash/*.c)))
stress_C   := $(sort $(call with_main,$(wildcard tests/stress/*.c)))
fuzz_C     := $(sort $(wildcard tests/fuzz/fuzz_*.c))
e2e_C      := $(sort $(wildcard tests/e2e/prog/*.c))
abi_C      := $(wildcard tests/abi/test_layout.c)
vm_C       := $(sort $(call with_main,$(wildcard tests/vm/prog/*.c)))
VM_SHARED  := $(filter-out $(vm_C),$(wildcard tests/vm/prog/*.c))
VM_PROG    := $(vm_C:tests/vm/prog/%.c=$B/vm/prog/%)
loongson_C := $(sort $(wildcard tests/loongson/prog/*.c))

layers_T   := tests/layers.sh
headers_T  := tests/headers.sh
man_T      := tests/man.sh
abi_T      := $(call scripts,abi)
unit_SH    := $(sort $(wildcard tests/unit/*/*.sh))
unit_T     := $(call progs_of,$(unit_C)) $(unit_SH)
hal_T      := $(call progs_of,$(hal_C))
platform_T := $(call progs_of,$(platform_C)) $(call scripts,platform)
model_T    := $(wildcard tests/model/run.sh)
mutants_T  := $(wildcard tests/model/mutants.sh)
crash_T    := $(call progs_of,$(crash_C)) $(call scripts,crash)
stress_T   := $(call progs_of,$(stress_C)) $(call scripts,stress)
fuzz_T     := $(call progs_of,$(fuzz_C))
e2e_T      := $(call scripts,e2e)
# The rest of the folder serves them.
VM_LIB     := guest guest-daemon image init lib
vm_T       := $(filter-out $(VM_LIB:%=tests/vm/%.sh),$(call scripts,vm))
LOONGSON_LIB := daemon image init lib machine
# Two at a time: the longest, which takes half of it, comes first.
loongson_T := tests/loongson/units.sh \
	$(filter-out $(LOONGSON_LIB:%=tests/loongson/%.sh) %/units.sh,$(call scripts,loongson))

# For another processor: `make cross` runs it, with other kinds.
cross_T    := tests/cross/job.sh

# What has to be built first.
unit_B     := $(call progs_of,$(unit_C))
hal_B      := $(hal_T)
abi_B      := $(call progs_of,$(abi_C)) $(LIBRARY)
layers_B   := $(foreach l,$(LAYERS),$(if $(call srcs,$l),$B/alone/$l.so))
platform_B := $(call progs_of,$(platform_C))
crash_B    := $(call progs_of,$(crash_C)) $(PROGS:%=$B/tp/bin/%) \
	      $(if $(HAVE_CLIENT),$B/tp/lib/libsnoo-client.a $B/tp/lib/libsnoo-client.so)
stress_B   := $(call progs_of,$(stress_C)) all
fuzz_B     := $(fuzz_T)
crash_B    += $(if $(HAVE_CLIENT),$(e2e_C:tests/e2e/prog/%.c=$B/tp/e2e/%))
e2e_B      := all $(if $(HAVE_CLIENT),$(e2e_C:tests/e2e/prog/%.c=$B/e2e/%))
vm_B       := $(e2e_B) $(VM_PROG)
loongson_B := $B/loongson/prog/ferry $B/vm/prog/link $B/vm/prog/cmd \
	      $(if $(SAN),,loongson-cross)
model_B    :=
mutants_B  :=

layer_of = $(word 3,$(subst /, ,$1))
$(foreach s,$(unit_C),$(eval $(call program,$B/$(s:%.c=%),$s,,$(call needs,$s,$(call layer_of,$s)),-lcmocka)))
$(foreach s,$(hal_C),$(eval $(call program,$B/$(s:%.c=%),$s $(wildcard tests/hal/conformance*.c),,hal shm,-lcmocka)))
$(foreach s,$(platform_C) $(stress_C),$(eval $(call program,$B/$(s:%.c=%),$s,,$(call needs,$s),-lcmocka)))
$(foreach s,$(abi_C),$(eval $(call program,$B/$(s:%.c=%),$s,,hal shm,)))
$(foreach s,$(crash_C),$(eval $(call program,$B/$(s:%.c=%),$s,tp/,$(call needs,$s),-lcmocka)))
$(foreach s,$(fuzz_C),$(eval $(call program,$B/$(s:%.c=%),$s,fuzz/,$(call needs,$s),)))
$(call progs_of,$(fuzz_C)): LD = $(call say,LD)$(FUZZCC) $(FUZZ_BASE) \
	-fsanitize=fuzzer $(CFLAGS) $(LDFLAGS)

# Ranks for the end-to-end and crash tests: public API, static library.
$B/e2e/%: $B/obj/tests/e2e/prog/%.o $B/obj/testlib.a $B/lib/libsnoo-client.a
	@mkdir -p $(@D)
	$(LD) -o $@ $^ -lm
$B/tp/e2e/%: $B/tp/obj/tests/e2e/prog/%.o $B/tp/obj/testlib.a $B/tp/lib/libsnoo-client.a
	@mkdir -p $(@D)
	$(LD) -o $@ $^ -lm

# The agent in a guest and its counterparts here.
$(foreach s,$(vm_C),$(eval $(call program,$(s:tests/vm/prog/%.c=$B/vm/prog/%),$s $(VM_SHARED),,$(call needs,$s))))

# test_* there are suites of hal/ for the machine's own registers.
$(foreach s,$(loongson_C),$(eval $(if $(findstring /test_,$s),\
	$(call program,$(s:tests/%.c=$B/%),$s $(wildcard tests/hal/conformance*.c),,hal shm,-lcmocka),\
	$(call program,$(s:tests/%.c=$B/%),$s tests/vm/prog/port.c,,shm))))
# What runs in the machine, built for it, and where its cores begin.
LOONGSON_THERE := $(unit_B) $(hal_B) $(e2e_B) $B/vm/prog/agent \
	$(loongson_C:tests/%.c=$B/%) $B/loongson/shim.bin
$B/loongson/shim.bin: tests/loongson/shim.S
	@mkdir -p $(@D)
	$(call say,AS)$(CC) -mabi=64 -march=mips64r2 -mno-abicalls -fno-pic \
		-nostdlib -c -o $(@:.bin=.o) $< && \
		$(OBJCOPY) -O binary -j .text $(@:.bin=.o) $@
loongson-there: $(LOONGSON_THERE)
# Packages that cannot be had are the tests' affair: they say so and skip.
loongson-cross:
	@mkdir -p $B/loongson; rm -f $B/loongson/why; \
	MAKE='$(MAKE)' tests/cross/build.sh mips64el loongson-there \
		>$B/loongson/cross.log 2>&1; \
	case $$? in \
	0) ;; \
	77) tail -n 1 $B/loongson/cross.log >$B/loongson/why ;; \
	*) cat $B/loongson/cross.log; exit 1 ;; \
	esac

# A layer that calls upwards or sideways has an undefined symbol here.
define alone
$B/alone/$1.so: $(call obj,$1 $($1_NEEDS))
	@mkdir -p $$(@D)
	$$(call say,ALONE)$$(CC) $$(FLAGS) -shared $$(ZDEFS) -o $$@ $$^ $$($1_LIBS)
endef
$(foreach l,$(LAYERS),$(eval $(call alone,$l)))

tests: $(sort $(foreach k,$(KINDS),$($k_B)))

# The closing line of the tests must be the last line of the output, also when
# tests failed; but make reports a failed recipe on a line of its own.  So with
# `check` (or a kind) as the only goal make runs in question mode: recipes that
# are marked + run as ever, and the final status is 1, without a word, if the
# recipe of the goal is not empty.
KIND_GOALS := unit abi layers headers hal model mutants stress crash fuzz \
	      platform e2e
ifneq ($(filter check check-vm check-loongson cross $(KIND_GOALS),$(MAKECMDGOALS)),)
ifeq ($(words $(MAKECMDGOALS)),1)
MAKEFLAGS += -q -s
QUIET_FAIL := 1
endif
endif
STATUS := $B/check.status
SUBMAKE = MAKEFLAGS= $(MAKE) --no-print-directory CC='$(CC)' CFLAGS='$(CFLAGS)' \
	SAN='$(SAN)' B='$B' V='$V' WERROR='$(WERROR)' PREFIX='$(PREFIX)'
# check_recipe KINDS [MORE-DEPS]: without those its tests say what is missing.
define check_recipe
	-+@mkdir -p $B; echo 1 >$(STATUS); \
	$(SUBMAKE) -s deps || { echo '0 passed, 1 failed, 0 skipped'; exit 0; }; \
	$(if $2,$(SUBMAKE) -s $2;) \
	$(SUBMAKE) -k -j$$(nproc) tests KINDS='$1'; built=$$?; \
	$(SUBMAKE) -s check.run KINDS='$1' BUILT=$$built TESTS='$(TESTS)' \
		JOBS='$(JOBS)' FUZZ_S='$(FUZZ_S)' STRESS_S='$(STRESS_S)' \
		STATUS='$(STATUS)'
endef

.PHONY: check.all check-vm.all check-loongson.all $(KIND_GOALS:%=%.all)
check.all:
	$(call check_recipe,$(KINDS))
check: check.all ## every kind of test; KINDS="unit e2e" for some of them
	$(if $(filter 0,$(file <$(STATUS))),,@false)
check-vm.all:
	$(call check_recipe,vm,deps-vm)
check-vm: check-vm.all ## guests under QEMU: attach, die, reboot, pause, misbehave
	$(if $(filter 0,$(file <$(STATUS))),,@false)
check-loongson.all:
	$(call check_recipe,loongson,deps-loongson deps-cross)
check-loongson: check-loongson.all ## a Loongson-3 under QEMU: its registers, a job on them
	$(if $(filter 0,$(file <$(STATUS))),,@false)
cross.all:
	-+@mkdir -p $B; echo 1 >$(STATUS); \
	$(SUBMAKE) -s deps-cross || { echo '0 passed, 1 failed, 0 skipped'; exit 0; }; \
	MAKE='$(MAKE)' MAKEFLAGS= TESTS='$(TESTS)' tests/cross/run.sh $(ARCHS); echo $$? >$(STATUS)
cross: cross.all ## build for other processors, unit tests under QEMU; ARCHS=
	$(if $(filter 0,$(file <$(STATUS))),,@false)
define kind
$1.all:
	$$(call check_recipe,$1)
$1: $1.all
	$$(if $$(filter 0,$$(file <$$(STATUS))),,@false)
endef
$(foreach k,$(KIND_GOALS),$(eval $(call kind,$k)))

BUILT ?= 0
export ASAN_OPTIONS  ?= abort_on_error=0:exitcode=99:detect_leaks=1:strict_string_checks=1
export UBSAN_OPTIONS ?= halt_on_error=1:print_stacktrace=1:exitcode=99
export TSAN_OPTIONS  ?= halt_on_error=0:exitcode=66:second_deadlock_stack=1
check.run:
	@B='$(BABS)' BIN='$(BABS)/bin' LIB='$(BABS)/lib' E2E='$(BABS)/e2e' \
	TP='$(BABS)/tp' TOP='$(TOP)' CC='$(CC)' SAN='$(SAN)' JOBS='$(JOBS)' \
	FUZZ_S='$(FUZZ_S)' SNOO_STRESS_S='$(STRESS_S)' BUILT='$(BUILT)' \
	TESTS='$(TESTS)' MAKE='$(MAKE)' \
	tests/run.sh $(foreach k,$(KINDS),$(foreach t,$($k_T),$k:$t)); \
	echo $$? >$(STATUS)

# Shown by `make help`; the rules are made above.
unit: ## test_*.c of each layer, white-box
abi: ## layout and exported symbols against what was blessed
layers: ## prove that no layer needs one above it
headers: ## every header compiles alone, every file says what it is
hal: ## one conformance suite for every back end
model: ## a model of each ordering edge
mutants: ## each edge removed in turn; its model must fail
stress: ## long runs with sequence checks, STRESS_S seconds each
crash: ## kill a process at each test point, then look at the others
fuzz: ## parsers and shared memory, FUZZ_S seconds each
platform: ## what we assume of kernel and CPU
e2e: ## daemon and ranks, from the outside

abi-bless: $(call progs_of,$(abi_C)) ## accept the present layout as the ABI
	@$< >tests/abi/0.txt && echo "blessed: tests/abi/0.txt"

# ---- run, bench -------------------------------------------------------------

# A peer or gnuplot that cannot be had is left out; the scripts say so.
run: ## the paper's experiment: table, figures, plot in build/run
	@$(call install_missing,$(DEPS_BUILD))
	@$(call install_missing,$(DEPS_RUN)) || echo "run: goes on without them"
	@$(SUBMAKE) -j$$(nproc) all
	@B='$(BABS)' bench/paper.sh

run-vm: ## ranks in two guests and on the host, beside TCP between the guests
	@$(call install_missing,$(DEPS_BUILD) $(DEPS_VM))
	@$(call install_missing,$(DEPS_RUN)) || echo "run-vm: goes on without them"
	@$(SUBMAKE) -j$$(nproc) all $(VM_PROG)
	@B='$(BABS)' bench/vm.sh

bench: deps-bench ## SNOO beside MPICH, Open MPI, UCX; crowds, growth, shares
	@$(SUBMAKE) -j$$(nproc) all
	@B='$(BABS)' bench/run.sh
bench-quick: deps-bench ## the same, in a minute
	@$(SUBMAKE) -j$$(nproc) all
	@B='$(BABS)' bench/run.sh --quick

# bench-NAME: one thing, by bench/NAME.sh
bench-%: bench/%.sh
	@$(SUBMAKE) -j$$(nproc) all
	@B='$(BABS)' $<

# ---- checkers ---------------------------------------------------------------

C_FILES := $(sort $(shell find include shm hal client daemon tools bench examples \
	     tests -name '*.[ch]' 2>/dev/null))
LINT_C   = $(filter-out %.bpf.c,$(call srcs,$(LAYERS)) $(TOOL_SRC))
have     = command -v $1 >/dev/null || { echo "$@: $1 is not installed, skipped"; exit 0; }

tidy: $(SKEL) ## clang-tidy; .clang-tidy says why a check is off
	@$(call have,clang-tidy); mkdir -p $B; \
	printf '%s\n' $(LINT_C) | xargs -P$$(nproc) -I{} \
		clang-tidy --quiet --warnings-as-errors='*' {} -- \
		$(filter-out -MMD -MP -Wno-tsan,$(FLAGS)) -I$B/gen 2>$B/tidy.err || \
		{ grep -v ' warnings\? generated\|^Suppressed\|^Use -' $B/tidy.err; exit 1; }; \
	echo "tidy: clean"
# Suppressed: missingIncludeSystem, because cppcheck reads our headers alone and
# not the system's.  jansson.h is given to it for the loop macros.
cppcheck: ## cppcheck on the same files
	@$(call have,cppcheck); cppcheck --quiet --std=c11 --language=c \
		--enable=warning,performance,portability --inline-suppr \
		--suppress=missingIncludeSystem \
		--error-exitcode=1 -j$$(nproc) -D_GNU_SOURCE -D__x86_64__ \
		-D__linux__ -Iinclude -I. \
		$(patsubst %,--include=%,$(wildcard /usr/include/jansson.h)) \
		$(LINT_C) && \
	echo "cppcheck: clean"
# Headers and *.def hold hand-aligned tables and are not formatted.
format: ## rewrite .c files by .clang-format
	clang-format -i $(filter %.c,$(C_FILES))
format-check: ## say which .c files `make format` would change
	@$(call have,clang-format); clang-format --dry-run --Werror $(filter %.c,$(C_FILES))
shellcheck: ## look at the scripts
	@$(call have,shellcheck); shellcheck -x -S warning $(shell grep -lE '^\#!.*(ba)?sh' -r tests bench tools config .ci 2>/dev/null)
map: ## every file and its one-line purpose
	@awk -f tools/map.awk $(shell git ls-files -co --exclude-standard 2>/dev/null | sort)
man: ## lint the manual pages
	@$(call have,mandoc); $(if $(MAN),mandoc -Tlint -Wwarning $(MAN) &&) \
	echo "man: $(words $(MAN)) pages, clean"
# ---- install ----------------------------------------------------------------

D = $(DESTDIR)$(PREFIX)
UNITS := $(wildcard config/*.service config/*.socket config/*.path)
subst_paths = sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@BINDIR@|$(PREFIX)/bin|g' \
	-e 's|@DATADIR@|$(PREFIX)/share/snoo|g' -e 's|/usr/local/bin/|$(PREFIX)/bin/|g'

install: all ## PREFIX=/usr/local DESTDIR=
	install -d $D/bin $D/lib/pkgconfig $D/include/snoo $D/share/snoo
	$(if $(PROGS),install -m 755 $(PROGS:%=$B/bin/%) $D/bin)
	$(if $(HAVE_CLIENT),install -m 755 $B/lib/$(SONAME) $D/lib)
	$(if $(HAVE_CLIENT),ln -sf $(SONAME) $D/lib/libsnoo-client.so)
	$(if $(HAVE_CLIENT),install -m 644 $B/lib/libsnoo-client.a $D/lib)
	sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@VERSION@|$(VERSION)|g' \
		client/snoo-client.pc.in >$D/lib/pkgconfig/snoo-client.pc
	$(if $(HEADERS),install -m 644 $(HEADERS) $D/include/snoo)
	$(if $(wildcard config/*.json),install -m 644 $(wildcard config/*.json) $D/share/snoo)
	$(foreach m,$(MAN),install -D -m 644 $m $D/share/man/man$(subst .,,$(suffix $m))/$(notdir $m) &&) :
	$(foreach u,$(UNITS),install -d $D/lib/systemd/system && \
		$(subst_paths) $u >$D/lib/systemd/system/$(notdir $u) &&) :
	$(foreach t,$(wildcard config/*.tmpfiles),install -D -m 644 $t \
		$D/lib/tmpfiles.d/$(basename $(notdir $t)).conf &&) :
	$(foreach t,$(wildcard config/*.sysusers),install -D -m 644 $t \
		$D/lib/sysusers.d/$(basename $(notdir $t)).conf &&) :
	$(foreach c,$(wildcard config/*.conf config/*.xml),install -m 644 $c \
		$D/share/snoo &&) :
	$(foreach m,$(wildcard config/*.modules),install -D -m 644 $m \
		$D/lib/modules-load.d/$(basename $(notdir $m)).conf &&) :
	$(foreach r,$(wildcard config/*.rules),install -D -m 644 $r \
		$D/lib/udev/rules.d/$(notdir $r) &&) :
	$(if $(DESTDIR),,@ldconfig 2>/dev/null || :)

uninstall: ## remove what install put there
	rm -f $(PROGS:%=$D/bin/%) $D/lib/$(SONAME) $D/lib/libsnoo-client.so \
		$D/lib/libsnoo-client.a $D/lib/pkgconfig/snoo-client.pc \
		$(foreach h,$(HEADERS),$D/include/snoo/$(notdir $h)) \
		$(foreach m,$(MAN),$D/share/man/man$(subst .,,$(suffix $m))/$(notdir $m)) \
		$(foreach u,$(UNITS),$D/lib/systemd/system/$(notdir $u)) \
		$(foreach t,$(wildcard config/*.tmpfiles),$D/lib/tmpfiles.d/$(basename $(notdir $t)).conf) \
		$(foreach t,$(wildcard config/*.sysusers),$D/lib/sysusers.d/$(basename $(notdir $t)).conf) \
		$(foreach r,$(wildcard config/*.rules),$D/lib/udev/rules.d/$(notdir $r)) \
		$(foreach m,$(wildcard config/*.modules),$D/lib/modules-load.d/$(basename $(notdir $m)).conf) \
		$(foreach j,$(wildcard config/*.json config/*.conf config/*.xml),$D/share/snoo/$(notdir $j))
	-rmdir $D/include/snoo $D/share/snoo 2>/dev/null

# ---- packages ---------------------------------------------------------------

deps: ## Debian 12 packages: install what is missing (root), or say what
	@$(call install_missing,$(DEPS))
deps-bench: ## the same for the peers that `make bench` runs
	@$(call install_missing,$(DEPS_BUILD))
	@$(call install_missing,$(DEPS_BENCH))

deps-vm: ## the same for guests
	@$(call install_missing,$(DEPS_VM))
deps-loongson: ## the same for the Loongson machine
	@$(call install_missing,$(DEPS_LOONGSON))

deps-cross: ## the same for other processors
	@$(call install_missing,$(DEPS_CROSS))

install_missing = \
	missing=$$(dpkg-query -W -f='$${Package} $${db:Status-Status}\n' $1 2>/dev/null | \
		awk '$$2 == "installed" { have[$$1] = 1 } \
		END { n = split("$1", want, " "); \
			for (i = 1; i <= n; i++) \
				if (!(want[i] in have)) printf " %s", want[i] }'); \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ]; then \
		echo "deps: installing$$missing"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	else \
		echo "deps: packages are missing; run this, then make again:" >&2; \
		echo "  sudo apt-get install --no-install-recommends$$missing" >&2; \
		exit 1; \
	fi

clean: ## empty the build folder of this SAN; what was fetched stays
	rm -rf $(filter-out $B/cache,$(wildcard $B/*))

# Not of the builds for other processors, and not what was fetched for them.
-include $(shell find $B \( -path $B/cross -o -path $B/cache \) -prune -o \
	   -type f -name '*.d' -print 2>/dev/null)
