"""Draws docs/bench.svg: for each algorithm, every contender's speed as a share of the floor's.

Plain SVG with a style sheet that follows the reader's light or dark scheme; no dependency.
"""

from __future__ import annotations

from html import escape

from report import ALGORITHMS, CONTENDERS, Result, duration, times

WIDTH, MARGIN, GAP = 1180, 24, 26
COLUMNS = 3
PANEL = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS
NAME, VALUE = 124, 104  # the width of the names on the left and the figures on the right
BAR = PANEL - NAME - VALUE
ROW, THICK = 17, 11
HEADING = 30
FONT = "ui-sans-serif, system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"

# What stays in the table alone.
OMITTED = ("primitive", "jsonwebtoken, Value", "gatekey (Python), read")
SHORT = {"jsonwebtoken, struct": "jsonwebtoken"}

STYLE = f"""
text {{ font-family: {FONT}; font-size: 11.5px; fill: #57606a; }}
.back {{ fill: #ffffff; }}
.title {{ font-size: 20px; font-weight: 600; fill: #1f2328; }}
.heading {{ font-size: 15px; font-weight: 600; fill: #1f2328; }}
.alg {{ font-size: 13px; font-weight: 600; fill: #1f2328; }}
.ours {{ font-weight: 600; fill: #1f2328; }}
.track {{ fill: #f3f4f6; }}
.line {{ stroke: #8c959f; stroke-width: 1; stroke-dasharray: 2 2; }}
.floor {{ fill: #afb8c1; }}
.peer {{ fill: #c9a26d; }}
.gatekey {{ fill: #0f766e; }}
@media (prefers-color-scheme: dark) {{
  text {{ fill: #9198a1; }}
  .back {{ fill: #0d1117; }}
  .title, .heading, .alg, .ours {{ fill: #f0f6fc; }}
  .track {{ fill: #1a2029; }}
  .line {{ stroke: #656c76; }}
  .floor {{ fill: #59636e; }}
  .peer {{ fill: #9a7444; }}
  .gatekey {{ fill: #2dd4bf; }}
}}
"""


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    kind = f' class="{kind}"' if kind else ""
    anchor = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}"{kind}{anchor}>{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, kind: str) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="2"/>'


def shown(result: Result, op: str, alg: str) -> list[tuple[str, str]]:
    """The contenders of a panel: the floor first, then the fastest first."""
    found = [c for c in CONTENDERS if c[0] not in OMITTED and result.has(c[0], op, alg)]
    return sorted(found, key=lambda c: (c[0] != "floor", result.over_floor(c[0], op, alg)))


def panel(result: Result, op: str, alg: str, x: float, y: float) -> list[str]:
    parts = [text(x, y + 14, alg, "alg")]
    top = y + HEADING - 6
    rows = shown(result, op, alg)
    for i, (contender, _) in enumerate(rows):
        row = top + i * ROW
        base = row + THICK - 1.5
        ratio = result.over_floor(contender, op, alg)
        kind = "floor" if contender == "floor" else "gatekey" if contender.startswith("gatekey") else "peer"
        emphasis = "ours" if kind == "gatekey" else ""
        figure = duration(result.time(contender, op, alg)) + ("" if kind == "floor" else f" · {times(ratio)}×")
        share = min(1.0, 1 / ratio)
        parts += [
            text(x + NAME - 8, base, SHORT.get(contender, contender), emphasis, "end"),
            box(x + NAME, row, BAR, THICK, "track"),
            box(x + NAME, row, max(1.5, BAR * share), THICK, kind),
            text(x + NAME + BAR + 7, base, figure, emphasis),
        ]
    line = x + NAME + BAR
    parts.append(f'<line class="line" x1="{line:.1f}" x2="{line:.1f}" y1="{top - 3:.1f}" y2="{top + len(rows) * ROW - 3:.1f}"/>')
    return parts


def section(result: Result, op: str, heading: str, y: float) -> tuple[list[str], float]:
    parts = [text(MARGIN, y + 14, heading, "heading")]
    y += 30
    for start in range(0, len(ALGORITHMS), COLUMNS):
        row = ALGORITHMS[start : start + COLUMNS]
        for column, alg in enumerate(row):
            parts += panel(result, op, alg, MARGIN + column * (PANEL + GAP), y)
        y += HEADING + max(len(shown(result, op, alg)) for alg in row) * ROW + 10
    return parts, y + 8


def draw(result: Result) -> str:
    parts = [
        text(MARGIN, 38, "Speed, as a share of the floor's", "title"),
        text(MARGIN, 60, "Longer is faster. The dashed line is the least honest work: the bare AWS-LC primitive with a parsed"
             " key, three base64 decodes, one JSON pass, the clock, three compares."),
        text(MARGIN, 76, f"Medians of {result.rounds} interleaved rounds in one run; × = times the floor. See bench.md for"
             " the machine, the versions and the method."),
    ]
    y = 100.0
    for op, heading in (("verify", "Verify: signature, expiry, audience, issuer"), ("sign", "Sign")):
        more, y = section(result, op, heading, y)
        parts += more
    height = y + 4
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" height="{height:.0f}"'
        f' role="img" aria-label="Speed of gatekey and its peers as a share of the floor">\n<style>{STYLE}</style>\n'
        f'<rect class="back" width="100%" height="100%" rx="8"/>\n{body}\n</svg>\n'
    )
