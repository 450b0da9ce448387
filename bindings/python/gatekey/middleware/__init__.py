"""Gatekey within other packages; each module needs the package it is named after."""
