# Deep Learning from Scratch, in C.  `make help` lists what can be made.
#
# No chapter, module or program is named here: the file roots (<<name.c>>=) found in book/*.nw say
# what there is.  build/roots.mk, written by book/press/roots.awk, puts them into variables:
#   MODULES   the library's .c files, without their suffix     PROGRAMS  those that define main
#   ROOTS     every file that is tangled to tangled/           UPTO_02   the modules of chapters 1 and 2

PREFIX  = /usr/local
CFLAGS  = -O2 -g
WERROR  = -Werror
B       = build
SRC     = tangled
NW     := $(sort $(wildcard book/[0-9][0-9]-*.nw))
GOALS  := $(or $(MAKECMDGOALS),all)
SHELL   = /bin/bash
.SHELLFLAGS = -o pipefail -ec
MAKEFLAGS += -r
.DELETE_ON_ERROR:
.SECONDARY:
.SECONDEXPANSION:

ifeq ($(origin CC),default)
CC      = gcc
endif
ifdef LINES
B       = build/lines
SRC     = build/lined
WERROR  = -Wno-misleading-indentation
endif
ifdef SAN
B       = build/san
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
endif

say     = $(if $(V),,@echo '  $1';)        # V=1 shows the commands

all: $$(if $$(CHAPTERS),tangle) library programs ## library and programs (the default)

include book/press/deps.mk book/press/tangle.mk

STATIC  = $(B)/libdlfs.a
SHARED  = $(B)/libdlfs.so.0.1
HEADERS = $(filter %.h,$(ROOTS:%=$(SRC)/%))
OBJECTS = $(call objects,$(MODULES))
COMPILE = $(CC) -std=gnu11 $(CFLAGS) $(SANITIZE) -ffp-contract=off -pthread -Wall -Wextra $(WERROR)
LIBS    = -pthread -lm -lz
LIBCODE = -fPIC -fno-semantic-interposition -fvisibility=hidden

library: $(STATIC) $(B)/libdlfs.so
programs: $(PROGRAMS:%=$(B)/%)

$(B)/flags: FORCE
	@mkdir -p $(@D) && echo '$(COMPILE)' | cmp -s - $@ || echo '$(COMPILE)' > $@

$(B)/obj/%.o: $(SRC)/%.c $(B)/flags | $(HEADERS)
	@mkdir -p $(@D)
	$(call say,cc $@) $(COMPILE) $(LIBCODE) -MMD -MP -c -o $@ $<

$(B)/obj/double/%.o: $(SRC)/%.c $(B)/flags | $(HEADERS)
	@mkdir -p $(@D)
	$(call say,cc $@) $(COMPILE) $(LIBCODE) -DDL_DOUBLE -DSIMD=plain -MMD -MP -c -o $@ $<

# simd_NAME.c becomes simd_NAME.avx2.o and so on: one object for each instruction set.
SETS    = plain $(if $(filter x86_64,$(shell uname -m)),avx2 avx512)
avx2    = -mavx2 -mfma
avx512  = -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma
objects = $(patsubst %,$(B)/obj/%.o,$(foreach m,$1,$(if $(filter simd_%,$m),$(SETS:%=$m.%),$m)))
$(B)/obj/simd_%.o: $(SRC)/$$(basename simd_$$*).c $(B)/flags | $(HEADERS)
	@mkdir -p $(@D)
	$(call say,cc $@) $(COMPILE) $(LIBCODE) $($(subst .,,$(suffix $*))) -DSIMD=$(subst .,,$(suffix $*)) -MMD -MP -c -o $@ $<

$(STATIC): $(OBJECTS)
	@rm -f $@
	$(call say,ar $@) ar rcs $@ $^
$(SHARED): $(OBJECTS)
	$(call say,link $@) $(CC) $(CFLAGS) $(SANITIZE) -shared -Wl,-soname,libdlfs.so.0 -o $@ $^ $(LIBS)
$(B)/libdlfs.so: $(SHARED)
	@ln -sf libdlfs.so.0.1 $(B)/libdlfs.so.0 && ln -sf libdlfs.so.0 $@

$(PROGRAMS:%=$(B)/%): $(B)/%: $(B)/obj/%.o $(STATIC)
	$(call say,link $@) $(CC) $(CFLAGS) $(SANITIZE) -o $@ $^ $(LIBS)

install: all                            ## headers, libraries and dlfs.pc below $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include/dlfs
	install -m 644 $(filter-out %/dlfs.h,$(HEADERS)) $(DESTDIR)$(PREFIX)/include/dlfs
	sed 's|#include "\(.*\)"|#include "dlfs/\1"|' $(SRC)/dlfs.h > $(DESTDIR)$(PREFIX)/include/dlfs.h
	install -m 644 $(STATIC) $(SHARED) $(DESTDIR)$(PREFIX)/lib
	ln -sf libdlfs.so.0.1 $(DESTDIR)$(PREFIX)/lib/libdlfs.so.0
	ln -sf libdlfs.so.0 $(DESTDIR)$(PREFIX)/lib/libdlfs.so
	sed 's|@PREFIX@|$(PREFIX)|' book/press/dlfs.pc.in > $(DESTDIR)$(PREFIX)/lib/pkgconfig/dlfs.pc

clean:                                  ## remove build/ (what is generated, save tangled/)
	rm -rf build

help:                                   ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile book/press/*.mk
	@echo "Variables: CH=02 EX=02-adjoint FILE=mine.c PREFIX= DESTDIR= CC= CFLAGS= WERROR= (no -Werror)"
	@echo "           LINES=1 (build/lines: messages and debuggers name the chapter's line) SAN=1 (sanitizers) V=1"

include book/press/tests.mk book/press/numbers.mk
-include book/press/weave.mk book/press/web.mk
-include $(wildcard $(B)/obj/*.d $(B)/obj/double/*.d $(B)/tests/*.d $(B)/speed/*.d)
FORCE:
.PHONY: all library programs install clean help FORCE
