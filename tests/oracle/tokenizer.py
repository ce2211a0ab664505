#!/usr/bin/env python3
"""Holds msa-tokenize against the tokenizers of Hugging Face's transformers (5.x), which a Python must have that runs this:

  tokenizer.py golden OUT                       writes OUT/vocab.txt, made of the texts below, and OUT/expected.json, the ids
                                                that BertTokenizer makes of them with it (tests/golden/tokenizer)
  tokenizer.py compare BIN VOCAB [DATA.pkl]     compares BIN/msa-tokenize on these texts, and on the transcripts of a data set
  tokenizer.py characters BIN                   the same on every character there is, with a vocabulary of them all

The reference is BertTokenizer, which is the fast one. On texts the slow one (BertTokenizerLegacy) is compared with it too;
where they differ is printed, and said in msa-tokenize(1)."""
import json
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
import numpy as np
from transformers import BertTokenizer
from transformers.models.bert.tokenization_bert_legacy import BertTokenizerLegacy

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TEXTS = [
    "", " ", "\n", "I loved it.", "I LOVED it, I really did!", "unbelievable unbelievably believable",
    "don't-stop... me@now #yes $5 50% a_b `c` ~d^e|f <g=h> {i}",
    "one two three four five six seven eight nine ten eleven twelve one two three four five six seven eight nine ten eleven",
    # special tokens
    "[CLS] [SEP] [MASK] [UNK] [PAD]", "[sep] [Mask] [SEP", "[MASK]ed un[SEP]fair [[SEP]]", "[SEP]" * 30, "[ S E P ]", "[X] [SEP]É",
    # case and accents
    "ÀÉÎÕÜ ñ ç ø Ł ß ẞ", "STRASSE straße Ǆ ǅ ĳ ﬁ ſ K Å", "Ça, c'est très déjà-vu", "ΣΊΣΥΦΟΣ ΟΔΥΣΣΕΎΣ σς ϒ ΐ ᾳ Ω",
    "İstanbul ISPARTA ılık i\u0307", "e\u0301 e\u0301\u0323 a\u0323\u0301 \u0301 o\u0308\u0304 q\u20dd", "ПРИВЕТ Ёлка йод Ґ",
    "Tiếng Việt ĐẸP", "שָׁלוֹם מַה", "مرحباً بِكُم ٠١٢", "हिन्दी में नमस्ते", "ภาษาไทย ดีมาก",
    # CJK
    "我很喜欢这部电影。太好看了！", "一二三abc四五", "\uf900豈 \U0002f800 𠀀", "\U0002b820a \U0002b920b", "안녕하세요 영화 각 ㄱ",
    "日本語のテキスト カタカナ ﾊﾝｶｸ がぎぐ パピ", "〇、「」々ㄅ",
    # signs
    "👍 good 👍👍 ❤ ☹️", "👩‍👩‍👧‍👦 🏳️‍🌈 👋🏽", "🤣🤌 x🤣y", "“quotes” ‘single’ «guillemets» —dash– …¿¡§¶•·", "© ™ € £ ½ ² ° ± × ÷",
    # spaces and controls
    "tab\tnew\nline\r\nx\x0by\x0cz\x85w", "v\u2028u\u2029t\u00a0s\u3000r\u2003q\u180ep", "a\u00adb zero\u200bwidth \ufeffbom \u200eleft",
    "nul\x00in \x01\x1b[2J\x7f\x9f", "\ufffd re\ufffdplaced \ue000private \U000f0000x",
    # lengths of words
    "a" * 100 + " " + "a" * 101, "é" * 100 + " " + "é" * 101, "e\u0301" * 101, "ab" * 50 + " ok", "a" * 99 + "." + "b" * 101, "\u0301" * 200,
    # newer than the reference's tables, unassigned, and marks whose order NFD changes
    "a\u1df6b \u2e43 \U00011938 \u166d", "\u0378 a\u0378b \ufdd0 \uffff", "가\u302e\U0001d165 가\U0001d165\u302e",
]
LENGTH = 24


# --- the reference ---

def rows(tokenizer, texts, length):
    """[N,3,length]"""
    made = tokenizer(texts, padding="max_length", truncation=True, max_length=length, return_token_type_ids=True)
    return np.array([made["input_ids"], made["attention_mask"], made["token_type_ids"]]).transpose(1, 0, 2)


def fast(vocab, cased):
    return BertTokenizer(vocab={token: i for i, token in enumerate(vocab)}, do_lower_case=not cased)


def slow(vocab, cased):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "vocab.txt")
        path.write_text("".join(token + "\n" for token in vocab), newline="\n")
        return BertTokenizerLegacy(str(path), do_lower_case=not cased)


# --- the golden file ---

def golden_vocab():
    """Every third word whole; of the others their letters, some of which are left out."""
    backend = fast(SPECIAL, False).backend_tokenizer
    words = []
    for cased in False, True:
        normalizer = fast(SPECIAL, cased).backend_tokenizer.normalizer
        for text in TEXTS:
            words += [word for word, _ in backend.pre_tokenizer.pre_tokenize_str(normalizer.normalize_str(text))]
    words = [word for word in dict.fromkeys(words) if len(word) < 40 and word.isprintable()]
    letters = [c for c in dict.fromkeys("".join(words)) if c.isprintable() and not c.isspace()]
    tokens = words[::3] + letters[: len(letters) * 3 // 4] + ["##" + c for c in letters[::2]]
    return list(dict.fromkeys(SPECIAL + tokens + ["un", "##believ", "##able", "##ably", "##ab", "##aa", "##σ"]))


def golden(out):
    vocab, cases = golden_vocab(), []
    for text in TEXTS:
        case = {"text": text}
        for name, cased in ("uncased", False), ("cased", True):
            ids, mask, _ = rows(fast(vocab, cased), [text], LENGTH)[0]
            case[name] = ids[: mask.sum()].tolist()
        cases.append(case)
    Path(out, "vocab.txt").write_text("".join(token + "\n" for token in vocab), newline="\n")
    lines = ",\n".join(json.dumps(case) for case in cases)
    Path(out, "expected.json").write_text(f'{{"length": {LENGTH}, "cases": [\n{lines}\n]}}\n')
    unknown = sum(case["uncased"].count(1) for case in cases)
    print(f"{len(vocab)} tokens, {len(cases)} texts, {unknown} unknown words")


# --- comparing ---

def ours(programs, vocab, texts, cased, length):
    """What msa-tokenize makes of them, through a data set."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "vocab.txt").write_text("".join(token + "\n" for token in vocab), newline="\n")
        with open(Path(folder, "set.pkl"), "wb") as file:
            pickle.dump({"test": {"audio": np.zeros((len(texts), 1, 1), "f4"), "raw_text": texts}}, file, 4)
        load, tokenize, dump = (Path(programs, f"msa-{name}").resolve() for name in ("load", "tokenize", "dump"))
        line = f"{load} --batch 5000 set.pkl | {tokenize} --vocab vocab.txt --length {length} {'--cased' * cased} | "
        line = f"set -o pipefail; {line} {dump} --json --values --tensor text_bert"
        shown = subprocess.run(["bash", "-c", line], cwd=folder, check=True, capture_output=True).stdout
    frames = map(json.loads, shown.splitlines())
    made = [np.array(frame["tensors"][0]["values"]) for frame in frames if frame["kind"] == "D"]
    return np.concatenate(made).reshape(-1, 3, length)


def differing(a, b):
    return np.flatnonzero((a != b).any((1, 2)))


def show(texts, found, what):
    print(f"    {what} differs from the fast tokenizer in {len(found)}" + ":" * bool(len(found)))
    for i in found[:100]:
        print(f"        {texts[i]!r}")


def held(programs, vocab, texts, what, length=50, with_slow=True):
    """Returns the texts in which ours is not the fast one."""
    wrong = []
    for cased in False, True:
        print(f"{what}, {'cased' if cased else 'uncased'}: {len(texts)} texts")
        want = rows(fast(vocab, cased), texts, length)
        bad = differing(ours(programs, vocab, texts, cased, length), want)
        show(texts, bad, "msa-tokenize")
        if with_slow:
            show(texts, differing(rows(slow(vocab, cased), texts, length), want), "the slow tokenizer")
        wrong += [texts[i] for i in bad]
    return wrong


def compare(programs, vocab_file, data=None):
    vocab = Path(vocab_file).read_text().rstrip("\n").split("\n")
    wrong = held(programs, vocab, TEXTS, "texts")
    if data:
        splits = pickle.load(open(data, "rb"))
        texts = [str(text) for split in splits.values() for text in split["raw_text"]]
        wrong += held(programs, vocab, texts, "transcripts")
        given = np.concatenate([split["text_bert"] for split in splits.values()])
        print(f"    text_bert of the data set: differs in {len(differing(given, ours(programs, vocab, texts, False, given.shape[2])))}")
    return wrong


def characters(programs):
    """Each within a word, and between marks of which NFD might change the order."""
    every = [chr(c) for c in range(1, 0x110000) if not 0xd800 <= c < 0xe000]
    tokens = [c for c in every if c.isprintable() or not c.isspace() and c > "\x9f"]
    vocab = SPECIAL + tokens + ["##" + c for c in tokens]
    wrong = []
    for at in range(0, len(every), 100000):
        part = every[at:at + 100000]
        texts = [f"a{c}b \u302e{c}\u302ea" for c in part]
        wrong += held(programs, vocab, texts, f"from U+{ord(part[0]):04X}", 16, with_slow=False)
    return wrong


if __name__ == "__main__":
    sys.exit(bool({"golden": golden, "compare": compare, "characters": characters}[sys.argv[1]](*sys.argv[2:])))
