"""Nodes are means over what belongs to them and nothing else, in every family."""

from __future__ import annotations

import pytest
import torch

from jomed_app.models.reader.vlm.projector import projector_names
from jomed_app.training.align.vlm.nodes import image_nodes, text_nodes
from tests.tiny_vlms import FAMILIES


@pytest.mark.parametrize("name", FAMILIES)
def test_padding_is_not_averaged_in_and_every_family_has_a_projector(load_reader, triples, name):
    reader = load_reader(name)
    assert projector_names(reader.model)
    texts = [reader.writer.answer(each) for each in ("oval", "irregular margin, posterior shadow")]
    with torch.no_grad():
        together = text_nodes(reader.inputs, texts)
        alone = torch.cat([text_nodes(reader.inputs, [each]) for each in texts])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)

    images = reader.encode([each.image() for each in triples[:2]])
    nodes = image_nodes(images)
    assert nodes.shape == together.shape, "one width, or they could not be compared"
    torch.testing.assert_close(nodes[1], images[1].features.mean(0))
