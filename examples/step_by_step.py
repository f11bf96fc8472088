"""Backpropagation by hand: the notes' two-layer network, every number printed.

Two inputs, two hidden units, two outputs, sigmoid everywhere, half squared error, learning rate 0.5; the biases
are fixed. The numbers are those of the worked example that the lecture notes point to; its page rounds on the way,
so that it prints 0.291027924 and 0.0000351085 where exact arithmetic gives 0.291027774 and 0.0000351019.

Run: python examples/step_by_step.py
"""

import numpy as np

import chainrule as cr

RATE = 0.5
x = np.array([[0.05, 0.10]])
t = np.array([[0.01, 0.99]])

network = cr.Network(2, [cr.Dense(2), cr.Activation("sigmoid"), cr.Dense(2), cr.Activation("sigmoid")])
objective = cr.Objective(network, cr.losses.SquaredError("half_sum"), x, t)
moving = network.mask("weight")


def start() -> np.ndarray:
    """Return θ with the weights and biases of the notes; W is (fan_in, fan_out), so w1 w2 are a column."""
    theta = np.zeros(network.size)
    views = network.views(theta)
    views["0.W"][:] = [[0.15, 0.25], [0.20, 0.30]]
    views["2.W"][:] = [[0.40, 0.50], [0.45, 0.55]]
    views["0.b"][:], views["2.b"][:] = 0.35, 0.60
    return theta


def show(name: str, values: np.ndarray) -> None:
    """Print one line: a name and its numbers."""
    print(f"  {name:28}", "  ".join(f"{value:.9f}" for value in np.ravel(values)))


def forward_and_backward(theta: np.ndarray) -> np.ndarray:
    """Print the forward pass and the chain rule, block by block; return the gradient."""
    hidden, sigmoid_h, output, sigmoid_o = network.trace(theta, x, lambda out: objective.loss.gradient(out, t))
    print("forward")
    show("net h1, h2  = x W + b", hidden.y)
    show("out h1, h2  = sigmoid", sigmoid_h.y)
    show("net o1, o2  = h W + b", output.y)
    show("out o1, o2  = sigmoid", sigmoid_o.y)
    show("E           = half squared", objective.value(theta))

    print("backward")
    show("dE/dout o   = out - t", sigmoid_o.dy)
    show("dE/dnet o   = y(1-y) dE/dout", output.dy)
    show("dE/dw5..w8  = h^T dE/dnet o", output.gradients["W"].T)
    show("dE/dout h   = dE/dnet o W^T", sigmoid_h.dy)
    show("dE/dnet h   = y(1-y) dE/dout", hidden.dy)
    show("dE/dw1..w4  = x^T dE/dnet h", hidden.gradients["W"].T)
    return objective.gradient(theta)


def step(theta: np.ndarray) -> np.ndarray:
    """θ ← θ - η dE/dθ, for the weights only."""
    return theta - RATE * objective.gradient(theta) * moving


theta = start()
gradient = forward_and_backward(theta)

theta = theta - RATE * gradient * moving
print("after one update, rate 0.5")
views = network.views(theta)
show("w1 w2 w3 w4", views["0.W"].T)
show("w5 w6 w7 w8", views["2.W"].T)
show("E", objective.value(theta))

for _ in range(9_999):
    theta = step(theta)
print("after 10,000 updates")
print(f"  {'E':28} {objective.value(theta):.10f}")
show("out o1, o2", network.forward(theta, x))
