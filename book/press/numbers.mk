# Numbers that are not made by every build: PyTorch's (oracle), speeds, experiments.

PYTHON = /usr/bin/python3

ORACLES = $(sort $(wildcard tests/oracle/$(or $(CH),[0-9][0-9])*.py))
oracle: extras                          ## compute the tests' expected values again, with PyTorch (CH=02: one chapter's)
	@for script in $(ORACLES); do echo "$$script"; $(PYTHON) $$script; done

# tests/speed/run.py times each tests/speed/NN_name.c, linked with the library, against its peers.
SPEEDS  = $(patsubst tests/%.c,$(B)/%,$(sort $(wildcard tests/speed/$(or $(CH),[0-9][0-9])_*.c)))
$(B)/speed/%: tests/speed/%.c $(STATIC) $(B)/flags
	@mkdir -p $(@D)
	$(call say,cc $@) $(COMPILE) -I$(SRC) -MMD -MP -MF $@.d -MT $@ -o $@ $< $(STATIC) $(LIBS)
speed: extras $(SPEEDS)                 ## time C against PyTorch; writes build/speed.tsv
	@$(PYTHON) tests/speed/run.py --build $(B) $(CH)

experiments: extras programs            ## run every experiment again; writes figures/results/ and figures/ledger.tsv
	@book/press/experiments run
ledger: programs                        ## re-run the quick experiments and compare with figures/results/
	@book/press/experiments compare
.PHONY: oracle speed experiments ledger
