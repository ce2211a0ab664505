# What is installed are the programs, with what they find by relative paths, so that all of it can be moved: programs look
# for kernels in ../lib/msa of their folder; msa-train and so on are links to the pipelines (msa-predict-samples to the one
# whose name a program has), and these are told where bindir is from theirs. The test device is left out.
## PREFIX=        where to install (/usr/local); likewise DESTDIR, bindir, mandir, datadir, bashdir, zshdir
PREFIX      = /usr/local
DESTDIR     =
prefix      = $(PREFIX)
exec_prefix = $(prefix)
bindir      = $(exec_prefix)/bin
datarootdir = $(prefix)/share
datadir     = $(datarootdir)
mandir      = $(datarootdir)/man
bashdir     = $(datadir)/bash-completion/completions
zshdir      = $(datadir)/zsh/site-functions
INSTALL     = install

TO_BIN     = $(DESTDIR)$(bindir)
TO_KERNELS = $(TO_BIN)/../lib/msa
TO_DATA    = $(DESTDIR)$(datadir)/msa
TO_MAN     = $(DESTDIR)$(mandir)
TO_BASH    = $(DESTDIR)$(bashdir)
TO_ZSH     = $(DESTDIR)$(zshdir)
NAMES     := $(notdir $(PROGRAMS))
PIPELINES := $(filter-out %.bash,$(notdir $(wildcard pipelines/*)))
LINK       = msa-$(1)$(if $(filter msa-$(1),$(NAMES)),-samples)
SECTIONS  := 1 5 7

install: all ## programs, kernels, pipelines, manuals and completion, to PREFIX below DESTDIR
	$(INSTALL) -d "$(TO_BIN)" "$(TO_BASH)" "$(TO_ZSH)" "$(TO_DATA)/pipelines" $(SECTIONS:%="$(TO_MAN)/man%")
	$(INSTALL) -d "$(TO_KERNELS)"
	$(INSTALL) $(PROGRAMS) "$(TO_BIN)"
	$(INSTALL) -m 644 $(filter-out %/msa-test.so,$(KERNELS)) "$(TO_KERNELS)"
	$(foreach s,$(SECTIONS),$(INSTALL) -m 644 $(wildcard man/*.$(s)) "$(TO_MAN)/man$(s)" &&) true
	$(INSTALL) $(PIPELINES:%=pipelines/%) "$(TO_DATA)/pipelines"
	$(INSTALL) -m 644 $(filter-out %/common.bash,$(wildcard pipelines/*.bash)) "$(TO_DATA)/pipelines"
	umask 022; sed "s|[$$]here/[.][.]/bin|\$$here/$$(realpath -m --relative-to="$(TO_DATA)/pipelines" "$(TO_BIN)")|" \
	    pipelines/common.bash >"$(TO_DATA)/pipelines/common.bash"
	$(foreach p,$(PIPELINES),ln -srf "$(TO_DATA)/pipelines/$(p)" "$(TO_BIN)/$(call LINK,$(p))" &&) true
	umask 022; for p in $(NAMES); do $(O)/bin/$$p --help=bash >"$(TO_BASH)/$$p" && \
	    $(O)/bin/$$p --help=zsh >"$(TO_ZSH)/_$$p" || exit; done

uninstall: ## remove what install has put there
	rm -f $(NAMES:%="$(TO_BIN)/%") $(foreach p,$(PIPELINES),"$(TO_BIN)/$(call LINK,$(p))") $(NAMES:%="$(TO_BASH)/%") $(NAMES:%="$(TO_ZSH)/_%") \
	    $(foreach s,$(SECTIONS),$(patsubst man/%,"$(TO_MAN)/man$(s)/%",$(wildcard man/*.$(s)))) \
	    $(KERNELS:$(O)/lib/%="$(TO_KERNELS)/%") $(patsubst pipelines/%,"$(TO_DATA)/pipelines/%",$(wildcard pipelines/*))
	for d in "$(TO_KERNELS)" "$(TO_DATA)/pipelines" "$(TO_DATA)"; do \
	    [ ! -d "$$d" ] || rmdir --ignore-fail-on-non-empty "$$d" || exit; done

# The archive is that of the last commit, byte for byte the same wherever and whenever it is made.
VERSION = $(shell sed -n 's/^\#define MSA_VERSION "\(.*\)"/\1/p' common/run/run.h)
dist: ## msa-VERSION.tar.gz of the last commit
	@git diff-index --quiet HEAD -- || echo 'dist: changes that are not committed are left out' >&2
	git -c tar.umask=022 archive -o msa-$(VERSION).tar --prefix=msa-$(VERSION)/ HEAD
	gzip -9nf msa-$(VERSION).tar
.PHONY: install uninstall dist
