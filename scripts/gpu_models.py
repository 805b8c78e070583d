"""This will write the table of GPU models into docs/gpu-models.md, below the words that explain it.

Run ``python -m scripts.gpu_models`` after a change of the table or its rules.
"""

from pathlib import Path

from validator.domain.gpu_specs import GB, base_hundredths, required
from validator.domain.gpu_table import GPU_MODELS, GpuModel

PAGE = Path(__file__).parents[1] / "docs" / "gpu-models.md"
HEAD = (
    "| model, as NVML tells it | VRAM GB | GB/s | int8 TOPS | fp16 TFLOPS | NI | base | needs GB/s"
    " | needs int8 TOPS | figures |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|---|\n"
)


def table() -> str:
    """Return the table as Markdown, in the order of the source."""
    return HEAD + "".join(f"| {' | '.join(_cells(model))} |\n" for model in GPU_MODELS)


def page(text: str) -> str:
    """Return the page with all from the table's first line on made anew."""
    words, _, _ = text.partition(HEAD.splitlines()[0])
    return words + table()


def _cells(model: GpuModel) -> tuple[str, ...]:
    needed = required(model.name, vram_bytes=model.vram_gb * GB)
    return (
        model.name,
        str(model.vram_gb),
        str(model.bandwidth_gb_s),
        _thousandth(model.int8_gops),
        _thousandth(model.fp16_gflops),
        "–" if model.ni_hundredths is None else f"{model.ni_hundredths / 100:.2f}",
        f"{base_hundredths(model.name) / 100:.2f}",
        str(needed.bandwidth_bytes_s // GB),
        str(needed.int8_ops_s // (1000 * GB)),
        model.source.name.lower().replace("_", " "),
    )


def _thousandth(number: int | None) -> str:
    return "–" if number is None else f"{number / 1000:g}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
