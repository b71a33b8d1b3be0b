"""What tests of readers share: a text read as a file, the problem it states, and its answers."""

from quasar.problems import build_instance, decoder_for
from quasar.problems.readers.sources import state_file


def read(tmp_path, text, primitive=None, name="file.txt", form=None, **attributes):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return state_file(path, primitive, attributes, form=form)


def build(stated):
    return build_instance(stated.primitive, stated.graph, stated.attributes)


def answers(instance):
    decoder = decoder_for(instance)
    return {
        frozenset(decoder.decode(instance.graph, instance.attributes, instance.assignment(int(s))))
        for s in instance.spectrum.optimal
    }
