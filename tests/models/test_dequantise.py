"""Conversion of GGUF files."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.models.dequantise import dequantise


def test_converting_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A real GGUF file of a tiny Llama goes through transformers without its progress bar."""
    from transformers import AutoModelForCausalLM

    dequantise(tiny_gguf(tmp_path / "tiny.gguf"), tmp_path / "model")
    assert capfd.readouterr() == ("", "")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert model.config.num_hidden_layers == 1
    assert model.model.embed_tokens.weight[3, 5].item() == pytest.approx(3 * 8 + 5)


def tiny_gguf(path: Path) -> Path:
    """One Llama layer of width 8, vocabulary of 12; the embeddings count upwards."""
    import gguf
    import numpy as np

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_context_length(64)
    writer.add_embedding_length(8)
    writer.add_feed_forward_length(16)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(4)
    writer.add_vocab_size(12)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([*"abcdefgh", "ab", "cd", "<s>", "</s>"])
    writer.add_token_merges(["a b", "c d"])
    writer.add_bos_token_id(10)
    writer.add_eos_token_id(11)
    shapes = {"attn_q": (8, 8), "attn_k": (8, 8), "attn_v": (8, 8), "attn_output": (8, 8),
              "ffn_gate": (16, 8), "ffn_up": (16, 8), "ffn_down": (8, 16),
              "attn_norm": (8,), "ffn_norm": (8,)}  # fmt: skip
    tensors = {f"blk.0.{name}.weight": np.ones(shape) for name, shape in shapes.items()}
    tensors |= {
        "token_embd.weight": np.arange(96).reshape(12, 8),
        "output_norm.weight": np.ones(8),
        "output.weight": np.ones((12, 8)),
    }
    for name, tensor in tensors.items():
        writer.add_tensor(name, tensor.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
