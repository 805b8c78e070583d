"""The compiled kernels are those of the source, and small enough to be carried."""

import json
import locale

import pytest

from prover import kernels
from scripts import build_kernels

#: before anything was compiled here
ENCODING = locale.getencoding()


@pytest.fixture(scope="module")
def built() -> dict[str, str]:
    return build_kernels.build()


@pytest.mark.parametrize("module", build_kernels.MODULES, ids=lambda module: module.name)
def test_the_shipped_ptx_is_what_the_source_compiles_to(
    built: dict[str, str], module: build_kernels.Module
) -> None:
    shipped = kernels.ptx(module.name)
    assert shipped == built[module.name].encode() + b"\0"
    declared = f".version {module.version}\n.target {module.target}\n".encode()
    assert shipped.startswith(declared)


def test_the_compiler_leaves_files_readable_as_before(built: dict[str, str]) -> None:
    assert built
    assert locale.getencoding() == ENCODING


def test_the_manifest_names_the_sources_and_what_they_gave(built: dict[str, str]) -> None:
    assert build_kernels.MANIFEST.read_text() == build_kernels.manifest(built)
    names = json.loads(build_kernels.MANIFEST.read_text())
    assert {"proof.cu", "multiply.cu", "base.ptx", "compiler"} <= names.keys()


def test_no_kernel_calculates_with_fractions(built: dict[str, str]) -> None:
    """Floating point would give other bits on other models."""
    for text in built.values():
        assert ".f32" not in text
        assert ".f64" not in text
