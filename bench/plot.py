"""Draw the ratios of a result as `result.svg` and `result.png`: `plot.py result.json`, with the peers' Python."""

import json
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")
mpl.rcParams["svg.hashsalt"] = "visado"  # the same figures make the same file
from matplotlib import pyplot as plt  # noqa: E402 - after the choice


def main():
    result = Path(sys.argv[1])
    rows = [row for row in json.loads(result.read_text())["rows"] if row["ratio"] is not None]
    if not rows:
        return
    rows.reverse()
    figure, axes = plt.subplots(figsize=(10, 1 + 0.35 * len(rows)), layout="constrained")
    for place, row in enumerate(rows):
        color = "tab:gray" if row["bar"] is None else "tab:green" if row["met"] else "tab:red"
        scale = row["ratio"] / row["median"]
        extremes = [[row["ratio"] - min(row["values"]) * scale], [max(row["values"]) * scale - row["ratio"]]]
        axes.barh(place, row["ratio"], color=color, xerr=extremes, error_kw={"capsize": 2, "elinewidth": 1})
        axes.annotate(f" {row['ratio']:.2f}", (max(row["values"]) * scale, place), va="center", fontsize=8)
        if row["bar"]:
            axes.plot([row["bar"]["value"]] * 2, [place - 0.45, place + 0.45], color="black", linewidth=2)
    axes.axvline(1, color="black", linewidth=0.5, linestyle="dotted")
    names = [f"{row['part']}: {row['what']} ({row['unit']})" for row in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=8)
    axes.set_xlabel("share of what it is compared with;\nwhiskers: minimum and maximum; black stroke: the bar")
    for suffix in (".svg", ".png"):
        metadata = {"Date": None} if suffix == ".svg" else None
        figure.savefig(result.with_suffix(suffix), metadata=metadata, dpi=150)


if __name__ == "__main__":
    main()
