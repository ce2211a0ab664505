#!/usr/bin/env python3
"""Layers of sequences and batches in PyTorch: what tests/unit/sequences.c must reproduce. Needs torch.

  sequences.py FILE    writes tests/golden/sequences.safetensors

Parameters have PyTorch's names behind rnn., cell., conv. and norm.; CASE.x is what goes in, CASE.dy the gradient that comes
back, CASE.y and CASE.dx what goes out and back, and gradient.PARAMETER the gradients with respect to parameters. Behind its own
frames a sequence's state stays as it was (kernels.h)."""
import sys

import torch
from dmmsa_torch import save_safetensors
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

LENGTHS = (7, 3, 1, 5)
found = {}


def keep(case, **tensors):
    found.update((f"{case}.{name}", x.detach().clone()) for name, x in tensors.items())


def shaken(name, layer):
    """Parameters that no default hides an error of."""
    for key, x in layer.state_dict().items():
        if x.is_floating_point():
            x.add_(torch.rand(x.shape), alpha=0.5)
            found[f"{name}.{key}"] = x.clone()
    return layer


def keep_gradients(name, layer):
    found.update((f"gradient.{name}.{key}", p.grad.clone()) for key, p in layer.named_parameters())


def own(length):
    """[B,length,1]: 1 where a frame is the sample's own."""
    return (torch.arange(length) < torch.tensor(LENGTHS)[:, None]).float()[:, :, None]


def bidirectional(features=5, hidden=4):
    layer = shaken("rnn", nn.LSTM(features, hidden, 2, batch_first=True, bidirectional=True))
    x = torch.randn(len(LENGTHS), max(LENGTHS), features, requires_grad=True)
    packed, (last, _) = layer(pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False))
    y, _ = pad_packed_sequence(packed, batch_first=True)
    dy, dlast = torch.randn_like(y) * own(max(LENGTHS)), torch.randn_like(last)
    ((y * dy).sum() + (last * dlast).sum()).backward()
    for b, n in enumerate(LENGTHS):
        y.data[b, n:, :hidden] = y.data[b, n - 1, :hidden]
    keep("rnn", x=x, dx=x.grad, y=y, dy=dy, last=last, dlast=dlast)
    keep_gradients("rnn", layer)


def one_step_at_a_time(steps=3, batch=3, features=2, hidden=5):
    layer = shaken("cell", nn.LSTMCell(features, hidden))
    x = torch.randn(steps, batch, features, requires_grad=True)
    state = None
    for one in x:
        state = layer(one, state)
    dy = torch.randn(2, batch, hidden)
    (torch.stack(state) * dy).sum().backward()
    keep("cell", x=x, dx=x.grad, y=torch.stack(state), dy=dy)
    keep_gradients("cell", layer)


def convolution():
    layer = shaken("conv", nn.Conv1d(5, 6, 3, bias=False))
    x = torch.randn(3, 9, 5, requires_grad=True)
    y = layer(x.transpose(1, 2)).transpose(1, 2)
    dy = torch.randn_like(y)
    (y * dy).sum().backward()
    keep("conv", x=x, dx=x.grad, y=y, dy=dy)
    keep_gradients("conv", layer)


def batches():
    """Three of training, the second of one sample, and one of evaluation; gradients of parameters add up."""
    layer = shaken("norm", nn.BatchNorm1d(6))
    for number, rows in enumerate((5, 1, 4, 5)):
        layer.train(rows > 1 and number < 3)
        x = torch.randn(rows, 6, requires_grad=True)
        y = layer(x)
        dy = torch.randn_like(y)
        if number < 3:
            (y * dy).sum().backward()
            keep(f"norm{number}", dx=x.grad)
        keep(f"norm{number}", x=x, y=y, dy=dy, mean=layer.running_mean, var=layer.running_var)
    keep_gradients("norm", layer)


def words(case, frames, count):
    """MAG-BERT's, of MMSA."""
    x = torch.randn(2, frames, 3, requires_grad=True)
    each = -(-frames // count)
    longer = torch.cat((x, x[:, -1:].expand(-1, each * count - frames, -1)), 1)
    y = longer.view(2, count, each, 3).mean(2)
    dy = torch.randn_like(y)
    (y * dy).sum().backward()
    keep(case, x=x, dx=x.grad, y=y, dy=dy)


def own_frames():
    """The mean of each sample's own frames, and the last of them, side by side."""
    x = torch.randn(len(LENGTHS), max(LENGTHS), 3, requires_grad=True)
    mean = torch.stack([one[:n].mean(0) for one, n in zip(x, LENGTHS)])
    last = torch.stack([one[n - 1] for one, n in zip(x, LENGTHS)])
    y = torch.cat((mean, last), 1)
    dy = torch.randn_like(y)
    (y * dy).sum().backward()
    keep("own", x=x, dx=x.grad, y=y, dy=dy)


def one_behind_the_other():
    head, tail = (torch.randn(2, frames, 3, requires_grad=True) for frames in (2, 4))
    y = torch.cat((head, tail), 1)
    dy = torch.randn_like(y)
    (y * dy).sum().backward()
    keep("head", x=head, dx=head.grad, y=y, dy=dy)
    keep("tail", x=tail, dx=tail.grad)


def one_frame_at_each_step(features=3, hidden=4):
    """Of a sample's own steps, the frame being the same at each; h behind all of them, c at the end."""
    layer = shaken("same", nn.LSTM(features, hidden, batch_first=True))
    x = torch.randn(len(LENGTHS), features, requires_grad=True)
    packed, (_, c) = layer(pack_padded_sequence(x[:, None].expand(-1, max(LENGTHS), -1), LENGTHS, batch_first=True, enforce_sorted=False))
    y, _ = pad_packed_sequence(packed, batch_first=True)
    dy, dc = torch.randn_like(y) * own(max(LENGTHS)), torch.randn_like(c)
    ((y * dy).sum() + (c * dc).sum()).backward()
    for b, n in enumerate(LENGTHS):
        y.data[b, n:] = y.data[b, n - 1]
    keep("same", x=x, dx=x.grad, y=y, dy=dy, c=c, dc=dc)
    keep_gradients("same", layer)


def steps_before_samples():
    """And some of their columns, twice, by some of the columns of a weight."""
    x, w = torch.randn(3, 5, 6, requires_grad=True), torch.randn(4, 7, requires_grad=True)
    turned = x.transpose(0, 1)
    y = torch.cat((turned[..., 1:4], turned[..., 3:5]), 2) @ w[:, 2:].T
    dy = torch.randn_like(y)
    (y * dy).sum().backward()
    keep("turned", x=x, dx=x.grad, w=w, dw=w.grad, y=y, dy=dy)


torch.manual_seed(1)
bidirectional()
one_step_at_a_time()
convolution()
batches()
words("few", 5, 6)
words("many", 20, 6)
words("even", 18, 6)
own_frames()
one_behind_the_other()
one_frame_at_each_step()
steps_before_samples()
save_safetensors(sys.argv[1], found)
