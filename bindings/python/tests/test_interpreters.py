"""A second interpreter in one process: gatekey works in the first that imports it.

mod_wsgi gives each application an interpreter of its own unless it is told otherwise. Classes of an
extension module belong to one: in another, ``except GatekeyError`` would catch nothing that is
raised. So the import is refused there, and says what to do.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# What a program sees of it: that a refusal is caught by the classes it has imported itself.
CATCHES = """
import gatekey, gatekey.exceptions
from datetime import timedelta
for wrong, named in (
    (lambda: gatekey.Verifier(gatekey.Key.generate("HS256")).verify("x"), "DecodeError"),
    (lambda: gatekey.ApiKeys.open("memory:", pepper=b"p" * 32).verify("x"), "MalformedApiKeyError"),
    (lambda: gatekey.Signer(gatekey.Key.generate("HS256"), ttl=timedelta(-1)), "UsageError"),
):
    try:
        wrong()
    except gatekey.exceptions.GatekeyError as refused:
        assert type(refused) is getattr(gatekey.exceptions, named), type(refused)
    else:
        raise AssertionError("accepted")
done = []
rows = [{"secret": f"legacy-key-{n}", "owner": "o"} for n in range(501)]
with gatekey.ApiKeys.open("memory:", pepper=b"p" * 32) as keys:
    import sys
    own = sys.modules
    keys.import_(rows, scheme="plaintext", progress=lambda *_: done.append(sys.modules is own))
assert done and all(done), done
"""
IS_REFUSED = """
for again in range(2):
    try:
        import gatekey
    except ImportError as refused:
        assert "another interpreter" in str(refused), refused
        assert "WSGIApplicationGroup %{GLOBAL}" in str(refused), refused
        assert len(str(refused)) <= 200
    else:
        raise AssertionError("imported")
"""

# Runs steps: "m" and a text in the main interpreter, "1" to "3" in others, which are made when they
# are first named and ended by "-"; "r" begins again with a new main interpreter.
PROGRAM = r"""
#include <Python.h>
#include <string.h>

static PyThreadState *of[4];

static int end(void)
{
    for (int n = 1; n < 4; n++) {
        if (of[n] != NULL) {
            PyThreadState_Swap(of[n]);
            Py_EndInterpreter(of[n]);
        }
    }
    PyThreadState_Swap(of[0]);
    memset(of, 0, sizeof of);
    return Py_FinalizeEx();
}

int main(int argc, char **argv)
{
    Py_InitializeEx(0);
    of[0] = PyThreadState_Get();
    for (int i = 1; i + 1 < argc; i += 2) {
        if (argv[i][0] == 'r') {
            end();
            Py_InitializeEx(0);
            of[0] = PyThreadState_Get();
            i -= 1;
            continue;
        }
        int n = argv[i][0] == 'm' ? 0 : argv[i][0] - '0';
        if (of[n] == NULL) {
            PyThreadState_Swap(of[0]);
            of[n] = Py_NewInterpreter();
        }
        PyThreadState_Swap(of[n]);
        if (strcmp(argv[i + 1], "-") == 0) {
            Py_EndInterpreter(of[n]);
            of[n] = NULL;
            PyThreadState_Swap(of[0]);
        } else if (PyRun_SimpleString(argv[i + 1]) != 0) {
            fprintf(stderr, "step %d of interpreter %d\n", i / 2, n);
            return 1;
        }
    }
    return end() == 0 ? 0 : 2;
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that makes interpreters as mod_wsgi does."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("embedded")
    source, made = folder / "program.c", folder / "program"
    source.write_text(PROGRAM)
    found = sysconfig.get_config_vars()
    libraries = found["LIBDIR"]
    command = [compiler, str(source), "-o", str(made), f"-I{found['INCLUDEPY']}", f"-L{libraries}"]
    command += [f"-Wl,-rpath,{libraries}", f"-lpython{found['LDVERSION']}", "-rdynamic"]
    command += f"{found['LIBS']} {found['SYSLIBS']}".split()
    built = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if built.returncode != 0:
        pytest.skip(f"no program can embed this Python: {built.stderr[-200:]}")
    return made


def run(*command: str | Path, **environment: str) -> None:
    """Run to an end without an error; not here, where the sources would be imported."""
    ended = subprocess.run(  # noqa: S603
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=sys.prefix,
        env={**os.environ, **environment},
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def embed(program: Path, *steps: str) -> None:
    path = os.pathsep.join(path for path in sys.path if path)
    run(program, *steps, PYTHONPATH=path, PYTHONHOME=sys.base_prefix)


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(("m", CATCHES, "1", IS_REFUSED, "m", CATCHES), id="main, then another"),
        pytest.param(("1", CATCHES, "1", CATCHES), id="another alone"),
        pytest.param(("1", CATCHES, "m", IS_REFUSED, "1", CATCHES), id="another, then main"),
        pytest.param(("1", CATCHES, "2", IS_REFUSED, "3", IS_REFUSED, "1", CATCHES), id="three"),
        pytest.param(
            ("1", CATCHES, "1", "-", "2", IS_REFUSED, "m", IS_REFUSED), id="one has ended"
        ),
        pytest.param(
            ("m", CATCHES, "1", IS_REFUSED, "1", "-", "1", IS_REFUSED), id="one after another"
        ),
        pytest.param(("m", CATCHES, "r", "m", IS_REFUSED, "1", IS_REFUSED), id="begun anew"),
        pytest.param(
            ("1", "import gatekey.exceptions", "m", IS_REFUSED), id="its exceptions, elsewhere"
        ),
    ],
)
def test_embedded(program: Path, steps: tuple[str, ...]) -> None:
    embed(program, *steps)


ISOLATED = """
import {module} as interpreters, textwrap
{first}
other = interpreters.create()
told = interpreters.run_string(other, {script!r})
assert told is None, told
"""


@pytest.mark.parametrize("first", ["", "import gatekey"])
def test_from_python(first: str) -> None:
    """Python's own ways to make one; from 3.12 on these are isolated, and Python itself refuses."""
    names = ("_interpreters", "_xxsubinterpreters")
    module = next((name for name in names if importlib.util.find_spec(name)), None)
    if module is None:
        pytest.skip("this Python makes no interpreters")
    # Alone it works or is refused; it never goes on with classes of another one.
    script = CATCHES
    if first or sys.version_info >= (3, 12):
        script = "try: import gatekey\nexcept ImportError: pass\nelse: raise AssertionError"
    source = ISOLATED.format(module=module, first=first, script=script)
    run(sys.executable, "-c", source)


def test_the_classes_of_the_last_import() -> None:
    """Tools throw modules out of ``sys.modules``: what is imported again raises the new classes."""
    again = "import sys\nfor name in [n for n in sys.modules if n.split('.')[0] == 'gatekey']:\n"
    again += "    del sys.modules[name]\n"
    run(sys.executable, "-c", CATCHES + again + CATCHES)
