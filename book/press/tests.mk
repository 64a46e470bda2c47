# make check, make exercise.  A test of chapter N (tests/NN_name.c) is linked with the modules of
# chapters 1 to N alone. From the first chapter on whose code knows DL_DOUBLE, each test is also
# built with it, as NN_name-double. tests/run runs them all and counts.

ifneq ($(CH),)
override CH := $(if $(filter 1 2 3 4 5 6 7 8 9,$(CH)),0$(CH),$(CH))
ifeq ($(filter book/$(CH)-%,$(NW)),)
$(error There is no chapter $(CH); there are: $(NW:book/%=%))
endif
endif

chapter = $(firstword $(subst -, ,$(subst _, ,$(notdir $1))))
upto    = $(call objects,$(UPTO_$(call chapter,$1)))
upto2   = $(patsubst %,$(B)/obj/double/%.o,$(UPTO_$(call chapter,$1)))
TESTC   = $(COMPILE) -I$(SRC) -Itests -Itests/oracle -DBUILD='"$(B)"' -MMD -MP -MF $@.d -MT $@
TESTLIB = -lcriterion -ljansson $(LIBS)

TESTS   = $(patsubst tests/%.c,$(B)/tests/%,$(sort $(wildcard tests/$(or $(CH),[0-9][0-9])_*.c)))
DOUBLE  = $(foreach t,$(TESTS),$(if $(filter $(call chapter,$t),$(DOUBLES)),$t-double))

$(B)/tests/%-double: tests/%.c $(B)/flags $$(call upto2,$$*)
	@mkdir -p $(@D)
	$(call say,cc $@) $(TESTC) -DDL_DOUBLE -o $@ $< $(filter %.o,$^) $(TESTLIB)
$(B)/tests/%: tests/%.c $(B)/flags $$(call upto,$$*)
	@mkdir -p $(@D)
	$(call say,cc $@) $(TESTC) -o $@ $< $(filter %.o,$^) $(TESTLIB)

# An exercise's test must pass with the book's solution, and fail with empty functions. These are
# made from the test's prototypes: lines that begin with `extern`.
LABELS  = $(patsubst tests/exercises/%.c,%,$(sort $(wildcard tests/exercises/$(or $(CH),[0-9][0-9])-*.c)))
$(B)/exercises/%-empty.c: tests/exercises/%.c book/press/stub.awk
	@mkdir -p $(@D)
	@awk -f book/press/stub.awk $< > $@
$(B)/exercises/%-empty: $(B)/exercises/%-empty.c tests/exercises/%.c $(B)/flags $$(call upto,$$*)
	$(call say,cc $@) $(TESTC) -Wno-unused-parameter -o $@ $(filter %.c %.o,$^) $(TESTLIB)
$(B)/exercises/%-solved: build/exercises/%.c tests/exercises/%.c $(B)/flags $$(call upto,$$*)
	@mkdir -p $(@D)
	$(call say,cc $@) $(TESTC) -o $@ $(filter %.c %.o,$^) $(TESTLIB)
$(B)/exercises/%-mine: tests/exercises/%.c $(B)/flags $$(call upto,$$*) FORCE
	@mkdir -p $(@D)
	$(call say,cc $@) $(TESTC) -Wno-error -o $@ $(FILE) $(filter %.c %.o,$^) $(TESTLIB)

UNSOLVED = $(filter-out $(EXERCISES:exercises/%.c=%),$(LABELS))
UNTESTED = $(filter-out $(LABELS),$(if $(CH),$(filter $(CH)-%,$(EXERCISES:exercises/%.c=%)),$(EXERCISES:exercises/%.c=%)))

BINARIES = $(TESTS) $(DOUBLE) $(LABELS:%=$(B)/exercises/%-solved)
EMPTIES  = $(LABELS:%=$(B)/exercises/%-empty)
SCRIPTS  = $(if $(CH)$(SAN)$(LINES),,$(filter-out tests/mutants/run,$(sort $(wildcard tests/*/run))))
RUN      = B=$(B) CC='$(CC)' tests/run $(BINARIES) $(EMPTIES:%=!%)

check: programs $(BINARIES) $(EMPTIES)  ## run the tests: all, or those of one chapter with CH=02
	@$(if $(UNSOLVED),echo "No chapter has a solution for $(UNSOLVED:%=tests/exercises/%.c)" >&2; exit 1)
	@$(if $(UNTESTED),echo "No test for $(UNTESTED:%=<<exercises/%.c>>) in tests/exercises/" >&2; exit 1)
	@$(RUN) $(SCRIPTS)
check-units: programs $(BINARIES) $(EMPTIES)
	@$(RUN)

mutants: $(TESTS) $(DOUBLE) | programs  ## do the tests notice planted mistakes? CH=06 EVERY=5 ONLY=words; long
	@B=$(B) CC='$(CC)' tests/mutants/run $(EVERY:%=--every %) $(if $(ONLY),--only '$(ONLY)') $(if $(V),-v) $^

ifneq ($(filter exercise,$(GOALS)),)
ifeq ($(wildcard tests/exercises/$(or $(EX),none).c),)
$(error $(if $(EX),There is no programming exercise EX=$(EX),Say which exercise: EX=02-adjoint); there are: $(LABELS))
endif
ifeq ($(and $(filter %.c,$(FILE)),$(wildcard $(FILE))),)
$(error Give the C file with your solution: make exercise EX=$(EX) FILE=mine.c$(if $(FILE), ($(FILE) is not $(if $(filter %.c,$(FILE)),there,one))))
endif
endif
exercise: $(B)/exercises/$(EX)-mine     ## test your solution: EX=02-adjoint FILE=mine.c
	@tests/run $<
.PHONY: check check-units exercise mutants
