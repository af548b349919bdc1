# For people who build and package C libraries. Cargo does the building; see docs/packaging.md.
#
#   make                    the libraries, in release profile
#   make check              all tests
#   make install            PREFIX=/usr/local DESTDIR= LIBDIR=$(PREFIX)/lib
#   make install-command install-instruments   the two of them only; `make install` does so, too
#   make install-debug      the debug information of what is installed, where debuggers look for it
#   make uninstall          with the same variables
#
# TOOLS says what is made and installed beside the library: `command` is oxuv, `instruments` is what
# the library loads for OXUV_CHECK, OXUV_TRACE and OXUV_STALL_MS. `TOOLS=` is the library alone.
#
# What else can be set: PROFILE (release, dev or another profile of cargo's), TARGET (a target
# triple), TARGET_DIR (where cargo puts its output), BUILD_DIR (where the built libraries lie), TOOLS_DIR (where
# command and instruments lie),
# LINK_DIR (a folder that `make` puts links to them into, for other build systems),
# CARGO, CARGOFLAGS, RUSTFLAGS, CC, NM, OBJCOPY, AR, READELF, STRIP (`true`: nothing is stripped),
# INCLUDEDIR, PKGCONFIGDIR, CMAKEDIR, DOCDIR, MANDIR, DEBUGDIR, BINDIR, and the folders of shells:
# BASHDIR, ZSHDIR, FISHDIR.

CARGO ?= cargo
CARGOFLAGS ?=
INSTALL ?= install
NM ?= nm
OBJCOPY ?= objcopy
READELF ?= readelf
STRIP ?= strip
PROFILE ?= release
TARGET ?=
TARGET_DIR ?= $(or $(CARGO_TARGET_DIR),target)

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
PKGCONFIGDIR ?= $(LIBDIR)/pkgconfig
CMAKEDIR ?= $(LIBDIR)/cmake/libuv
DOCDIR ?= $(PREFIX)/share/doc/libuv
MANDIR ?= $(PREFIX)/share/man
BINDIR ?= $(PREFIX)/bin
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d
TOOLS ?= command instruments
LINK_DIR ?=
DEBUGDIR ?= /usr/lib/debug
DESTDIR ?=

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
SONAME := libuv.so.1
SHARED_FILE := libuv.so.1.0.0
# What programs get beside the library itself, as from libuv: old systems keep parts of the C
# library in these.
LIBS := -lpthread -ldl -lrt -lm
# What the archive wants to be linked with.
STATIC_LIBS := -lutil -lrt -lpthread -lm -ldl -lc

# Cargo calls the folder of the profile dev "debug".
PROFILE_DIR := $(if $(filter dev test,$(PROFILE)),debug,$(if $(filter bench,$(PROFILE)),release,$(PROFILE)))
BUILD_DIR ?= $(TARGET_DIR)/$(if $(TARGET),$(TARGET)/)$(PROFILE_DIR)
TOOLS_DIR ?= $(BUILD_DIR)
# Without the folders that it was built in, the same source makes the same files.
REMAP = --remap-path-prefix=$(CURDIR)=. \
	--remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=cargo
# A program error is reported by the name of the function on the stack. Rust makes tables for that on
# some machines only; `.cargo/config.toml` does not count where RUSTFLAGS is set.
UNWIND := -Cforce-unwind-tables=yes
# For C only: with the functions that Rust programs call, the shared library has more relocations.
BUILD = RUSTFLAGS="$(strip $(RUSTFLAGS) $(REMAP))" \
	$(CARGO) rustc --lib --crate-type cdylib,staticlib --no-default-features --profile $(PROFILE) --target-dir $(TARGET_DIR) \
	$(if $(TARGET),--target $(TARGET)) $(CARGOFLAGS) -- $(UNWIND)

# The instruments and the command are programs of their own: they have std, and unwind nothing.
BUILD_TOOLS = RUSTFLAGS="$(strip $(RUSTFLAGS) $(REMAP))" \
	$(CARGO) build --profile $(PROFILE) --target-dir $(TARGET_DIR) $(if $(TARGET),--target $(TARGET)) $(CARGOFLAGS) \
	$(if $(filter command,$(TOOLS)),--package oxuv_cli) \
	$(if $(filter instruments,$(TOOLS)),--package oxuv_diagnose)
COMMAND := $(if $(filter command,$(TOOLS)),$(TOOLS_DIR)/oxuv)
INSTRUMENTS := $(if $(filter instruments,$(TOOLS)),$(TOOLS_DIR)/liboxuv_diagnose.so)

LIBRARIES := $(BUILD_DIR)/libuv.so $(BUILD_DIR)/libuv.a
# The archive as it is installed: one object that shows the functions of libuv and nothing else, so
# that a program can have other Rust code beside it.
ARCHIVE := $(BUILD_DIR)/installed/libuv.a
HEADERS := $(wildcard include/*.h include/uv/*.h)
MAN_PAGES := $(shell find man/man3 -type f)
# Types and callbacks are explained on the page of their chapter.
MAN_LINKS := $(shell find man/man3 -type l)
COMMAND_PAGES := $(wildcard man/man1/*.1)
FILL := sed -e 's|@VERSION@|$(VERSION)|g' -e 's|@SONAME@|$(SONAME)|g' -e 's|@SHARED_FILE@|$(SHARED_FILE)|g'
# Places are told from the prefix or from the file itself, so that all of it can be moved.
from_prefix = $(patsubst $(PREFIX)/%,$${prefix}/%,$(1))
from_cmake = $(shell realpath --canonicalize-missing --no-symlinks --relative-to=$(CMAKEDIR) $(1))
FLAGS = -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@LIBDIR@|$(call from_prefix,$(LIBDIR))|g' \
	-e 's|@INCLUDEDIR@|$(call from_prefix,$(INCLUDEDIR))|g' \
	-e 's|@LIBS@|$(LIBS)|g' -e 's|@STATIC_LIBS@|$(STATIC_LIBS)|g'
# CMake takes the names of libraries without -l, in a list.
empty :=
space := $(empty) $(empty)
cmake_list = $(subst $(space),;,$(strip $(patsubst -l%,%,$(1))))
CMAKE_FLAGS = -e 's|@LIBDIR@|$(call from_cmake,$(LIBDIR))|g' \
	-e 's|@INCLUDEDIR@|$(call from_cmake,$(INCLUDEDIR))|g' \
	-e 's|@LIBS@|$(call cmake_list,$(LIBS))|g' \
	-e 's|@STATIC_LIBS@|$(call cmake_list,$(STATIC_LIBS))|g'

# Where debuggers look for the debug information of a library: named by its build ID.
debug_file = $$($(READELF) --notes $(1) \
	| sed -n 's|.*Build ID: \(..\)\(.*\)|$(DESTDIR)$(DEBUGDIR)/.build-id/\1/\2.debug|p')

.PHONY: all check headers install install-command install-instruments install-debug uninstall clean

all:
	$(BUILD)
	$(MAKE) $(ARCHIVE)
	$(if $(strip $(TOOLS)),$(BUILD_TOOLS))
	$(if $(LINK_DIR),mkdir -p $(LINK_DIR) \
		&& ln -sf $(abspath $(BUILD_DIR))/libuv.so $(LINK_DIR)/$(SONAME) \
		&& ln -sf $(abspath $(ARCHIVE)) $(LINK_DIR)/libuv.a)

# Only what is missing is built here, so that `sudo make install` needs no cargo.
$(LIBRARIES):
	$(BUILD)

$(COMMAND) $(INSTRUMENTS):
	$(BUILD_TOOLS)

# Beside the functions only what a relocation names is kept, and names of code for debuggers: the
# linker would look for everything else, in vain or in a library that nobody needs. The table entry
# for unwinding gets a name of its own, or other Rust code would have this one's. Made elsewhere and
# moved, as two makes may do this at once.
$(ARCHIVE): $(LIBRARIES)
	mkdir -p $(@D)
	@folder=$$(mktemp -d $(@D)/making.XXXXXX) && object=$$folder/uv.o \
	&& $(NM) --dynamic --defined-only $(BUILD_DIR)/libuv.so \
		| sed -n 's/.* T \(uv_.*\)/-Wl,-u,\1/p' > $$folder/functions \
	&& $(CC) -r -nostdlib -Wl,--gc-sections -o $$object @$$folder/functions $(BUILD_DIR)/libuv.a \
	&& $(OBJCOPY) --wildcard --keep-global-symbol='uv_*' \
		--strip-unneeded-symbol='*' --keep-symbol='uv_*' --keep-symbol='_R*' --keep-symbol='_ZN*' \
		--redefine-sym DW.ref.rust_eh_personality=DW.ref.uv \
		--remove-section=.llvmbc --remove-section=.llvmcmd $$object \
	&& $(AR) rcsD $$folder/libuv.a $$object \
	&& $(NM) $$folder/libuv.a | grep -q ' T uv_version$$' \
	|| { echo "$@: this linker or objcopy cannot make it; installing cargo's archive as it is" >&2; \
		cp $(BUILD_DIR)/libuv.a $$folder/libuv.a; }; \
	mv $$folder/libuv.a $@ && rm -r $$folder

check:
	$(CARGO) test --workspace --target-dir $(TARGET_DIR) $(CARGOFLAGS)

headers:
	$(CARGO) xtask headers

install: $(LIBRARIES) $(ARCHIVE) $(if $(COMMAND),install-command) $(if $(INSTRUMENTS),install-instruments)
	$(INSTALL) -d $(DESTDIR)$(LIBDIR) $(DESTDIR)$(INCLUDEDIR)/uv $(DESTDIR)$(PKGCONFIGDIR) \
		$(DESTDIR)$(CMAKEDIR) $(DESTDIR)$(DOCDIR) $(DESTDIR)$(MANDIR)/man3
	$(INSTALL) -m 755 $(BUILD_DIR)/libuv.so $(DESTDIR)$(LIBDIR)/$(SHARED_FILE)
	$(STRIP) --strip-unneeded $(DESTDIR)$(LIBDIR)/$(SHARED_FILE)
	ln -sf $(SHARED_FILE) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libuv.so
	$(INSTALL) -m 644 $(ARCHIVE) $(DESTDIR)$(LIBDIR)/libuv.a
	$(INSTALL) -m 644 include/uv.h $(DESTDIR)$(INCLUDEDIR)/uv.h
	$(INSTALL) -m 644 $(wildcard include/uv/*.h) $(DESTDIR)$(INCLUDEDIR)/uv/
	$(FILL) $(FLAGS) pkgconfig/libuv.pc.in > $(DESTDIR)$(PKGCONFIGDIR)/libuv.pc
	$(FILL) $(FLAGS) pkgconfig/libuv-static.pc.in > $(DESTDIR)$(PKGCONFIGDIR)/libuv-static.pc
	$(FILL) $(CMAKE_FLAGS) cmake/libuvConfig.cmake.in > $(DESTDIR)$(CMAKEDIR)/libuvConfig.cmake
	$(FILL) cmake/libuvConfigVersion.cmake.in > $(DESTDIR)$(CMAKEDIR)/libuvConfigVersion.cmake
	$(INSTALL) -m 644 LICENSE $(DESTDIR)$(DOCDIR)/LICENSE
	$(INSTALL) -m 644 $(MAN_PAGES) $(DESTDIR)$(MANDIR)/man3/
	cp -Pf $(MAN_LINKS) $(DESTDIR)$(MANDIR)/man3/

install-command: $(COMMAND)
	$(INSTALL) -d $(addprefix $(DESTDIR),$(BINDIR) $(MANDIR)/man1 $(BASHDIR) $(ZSHDIR) $(FISHDIR))
	$(INSTALL) -m 755 $(COMMAND) $(DESTDIR)$(BINDIR)/oxuv
	$(STRIP) $(DESTDIR)$(BINDIR)/oxuv
	$(INSTALL) -m 644 $(COMMAND_PAGES) $(DESTDIR)$(MANDIR)/man1/
	$(INSTALL) -m 644 cli/completions/oxuv.bash $(DESTDIR)$(BASHDIR)/oxuv
	$(INSTALL) -m 644 cli/completions/_oxuv $(DESTDIR)$(ZSHDIR)/_oxuv
	$(INSTALL) -m 644 cli/completions/oxuv.fish $(DESTDIR)$(FISHDIR)/oxuv.fish

# The library looks for them in this folder beside it.
install-instruments: $(INSTRUMENTS)
	$(INSTALL) -d $(DESTDIR)$(LIBDIR)/oxuv
	$(INSTALL) -m 755 $(INSTRUMENTS) $(DESTDIR)$(LIBDIR)/oxuv/liboxuv_diagnose.so
	$(STRIP) --strip-unneeded $(DESTDIR)$(LIBDIR)/oxuv/liboxuv_diagnose.so

install-debug: $(LIBRARIES)
	@file=$(call debug_file,$(BUILD_DIR)/libuv.so) && test -n "$$file" \
		|| { echo "$(BUILD_DIR)/libuv.so has no build ID" >&2; exit 1; }; \
	$(INSTALL) -d $$(dirname $$file) \
	&& $(OBJCOPY) --only-keep-debug $(BUILD_DIR)/libuv.so $$file && chmod 644 $$file

uninstall:
	@library=$(DESTDIR)$(LIBDIR)/$(SHARED_FILE); if test -e $$library; then \
		file=$(call debug_file,$$library); test -z "$$file" || rm -f $$file; fi
	rm -f $(addprefix $(DESTDIR)$(LIBDIR)/,libuv.so $(SONAME) $(SHARED_FILE) libuv.a)
	rm -f $(patsubst include/%,$(DESTDIR)$(INCLUDEDIR)/%,$(HEADERS))
	rm -f $(addprefix $(DESTDIR)$(PKGCONFIGDIR)/,libuv.pc libuv-static.pc)
	rm -f $(addprefix $(DESTDIR)$(CMAKEDIR)/,libuvConfig.cmake libuvConfigVersion.cmake)
	rm -f $(DESTDIR)$(DOCDIR)/LICENSE
	rm -f $(patsubst man/%,$(DESTDIR)$(MANDIR)/%,$(MAN_PAGES) $(MAN_LINKS))
	rm -f $(addprefix $(DESTDIR)$(MANDIR)/man1/,$(notdir $(COMMAND_PAGES)))
	rm -f $(addprefix $(DESTDIR),$(BINDIR)/oxuv $(BASHDIR)/oxuv $(ZSHDIR)/_oxuv $(FISHDIR)/oxuv.fish)
	rm -f $(DESTDIR)$(LIBDIR)/oxuv/liboxuv_diagnose.so
	-rmdir $(DESTDIR)$(LIBDIR)/oxuv $(DESTDIR)$(INCLUDEDIR)/uv $(DESTDIR)$(CMAKEDIR) $(DESTDIR)$(DOCDIR) 2>/dev/null

clean:
	$(CARGO) clean --target-dir $(TARGET_DIR)
