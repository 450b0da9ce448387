# Gatekey against Python's JOSE libraries: tokens and keys in both directions.

PEERS_STAMP := $(VENV)/.gatekey-peers

.PHONY: test-peers

$(PEERS_STAMP): tests/peers/requirements.txt $(VENV_STAMP)
	@echo "peers: installing PyJWT, joserfc and jwcrypto into .venv"
	@$(VENV_PY) -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

test-peers: $(WHEEL_STAMP) $(PEERS_STAMP) ## Tokens and keys exchanged with PyJWT, joserfc and jwcrypto
	$(VENV_PY) -m pytest -q -p no:cacheprovider -W "ignore:EdDSA is deprecated" tests/peers
