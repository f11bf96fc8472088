// What one training step works on: the network lowered to layers, the workspace, and the numbers of this step.
//
// A step goes in waves of at most WAVE rows. In each wave, threads first take rows (gather, forward, loss, backward:
// rows do not depend on one another), then tiles of the weights (gradient, penalties, update: outputs do not either).
// No sum is ever split between threads, so their number does not change a bit of the result.
#pragma once

#include <cstdint>

#include "formulas/augmentation_spec.hpp"
#include "formulas/rule_constants.hpp"
#include "formulas/tables.hpp"
#include "step/layer_fields.hpp"
#include "vector/panels.hpp"
#include "vector/stream.hpp"

namespace chainrule {

constexpr int DEPTH = 256;       // terms of a sum accumulated in registers before they are added to memory
constexpr int WAVE = 2 * DEPTH;  // rows of a batch in the workspace at a time
constexpr int LARGE = 1 << 16;   // weights of a layer that go through the cache in whole rows, as they lie in memory
constexpr int BLOCK = 64;        // rows that one thread takes through the whole network at a time

// The parameters of a layer that have one number for each unit (a neuron), and which of them are penalised as biases.
enum UnitParameter { BIAS, SCALE, SHIFT, SLOPE, UNIT_PARAMETERS };
constexpr bool AS_BIAS[] = {true, false, true, false};
constexpr Kind KIND_OF[] = {BIASES, SCALES, BIASES, SLOPES};

template <class T> struct Units {
    Index at = ABSENT;  // where they begin in θ
    Index slot;
    T* packed;  // padded
    T* gradient;
};

// A layer with its places in the workspace.
template <class T> struct Layer : LayerFields<T> {
    Index inputs;
    Units<T> units[UNIT_PARAMETERS];
    T range;           // of the slopes that are drawn
    bool sloped;       // y depends on z by more than y = z: there is a d
    Index first_tile;  // tiles are pieces of W, PANEL rows by `width` panels, numbered through all layers
    Index width;
    T* packed;      // W in panels of outputs
    T* transposed;  // Wᵀ in panels of inputs; null for the first layer
    T* y;           // f(z) of a wave, in panels
    T* d;           // f'(z), then dL/dz
    T* e;           // the derivative in the slope that is learnt, then times dL/dy
    T* normal;      // x̂ of a normalisation
    T* upstream;    // dL/dy of a normalisation of rows
    T* inverse;     // 1/σ: of each column, or of each row
    T* batch_mean;  // of each column
    T* batch_variance;
    T* settled_mean;  // the running statistics after this wave
    T* settled_variance;
    T* gradient;  // tile by tile; used where a batch has more than DEPTH rows
};

// λ of the penalties on one kind of parameter, already divided where it is per sample.
template <class T> struct Strengths {
    T l1, l2, shrink;  // shrink: λ₁ of a proximal step, beside the gradient
};

template <class T> struct Loss {
    LossKind kind;
    T a;              // the loss's own number: Huber's δ, the quantile's q, squared error's factor
    const T* target;  // (rows, outputs), or null
    const std::int64_t* classes;
};

// Asked between pieces of work by the first thread; others learn from it whether the step was given up.
class Watch {
  public:
    virtual bool given_up() = 0;

  protected:
    ~Watch() = default;
};

// Memory of one thread.
template <class T> struct Scratch {
    T* tile;       // the gradient of one tile, row by row
    T* block;      // BLOCK x PANEL
    T* scores;     // outputs x LANES: the scores of some rows, side by side
    T* targets;    // the same of their targets
    T* along;      // the same of a change of the scores
    T* row[3];     // rows of inputs on their way: this one, the next, their mixture
    T* workspace;  // of an augmentation
    T* layer[2];   // prediction: BLOCK x the widest layer, input and output
    Watch* watch;  // null: never asked
};

// A piece of a step between two meetings of the threads. Rows go forward through layers `from` to `to`, of layer `to`
// (a batch normalisation) only the product, or to the end and the loss; and back from `from` to `to`. Columns go
// through the normalisation of layer `from`.
struct Phase {
    bool columns, back;
    int from, to;
};

template <class T> struct Step {
    bool defers() const { return clip == CLIP_NORM || clip == CLIP_UNIT; }  // moves when the whole gradient is known

    int layers, back_to;  // the layer that the way back from the loss ends at
    Layer<T>* layer;
    Noise<T> input;
    bool training;               // else: as at prediction
    std::uint64_t seed, number;  // of the random streams: the step's number

    const T* X;             // (any rows, inputs), C order
    const Index* order;     // which rows of X the batch takes, or null: from `start` on
    const T* weight;        // per row of X, or null
    Index start;            // first row of the batch where order is null
    Index rows;             // rows of the batch
    Index wave, wave_rows;  // first row of this wave within the batch, and how many
    Index stride;           // elements between panels: rows of the workspace times PANEL
    T* x;                   // the gathered inputs, in panels
    bool gathered;          // the workspace holds this wave's rows already
    T* row_loss;            // per row of the batch
    T total;                // Σ of the weights of the batch
    Loss<T> loss;

    T* theta;
    T* memory[MOST_MEMORIES];
    Rule rule;
    T constant[KINDS][CONSTANTS];
    T rate[KINDS];
    bool care;  // something of what follows is wanted
    Clip clip;
    T limit;     // of the gradient's entries or norms
    T factor;    // that shortens the whole gradient
    T max_norm;  // of each unit's incoming weights; 0: none
    const AugmentationSpec* augmentation;
    int augmentations;
    bool mixes;
    T mix;       // the share of a row when it is mixed with the next
    T* average;  // of θ, or null: moves by `share` of the way to θ
    T share;
    Strengths<T> weights, biases;
    double* norm;  // per slot: Σ g²; null where nobody asks
    double* l1;    // per slot: Σ |θ| of the penalised parameters after the update; null without penalty
    double* l2;    // per slot: Σ θ²
};

// What each instruction set provides.
template <class T> struct Program {
    void (*prepare)(const Step<T>&, Index first, Index last);
    void (*rows)(const Step<T>&, Scratch<T>&, const Phase&, Index first, Index last, bool backward);
    void (*columns)(const Step<T>&, const Phase&, Index first, Index last);
    void (*update)(const Step<T>&, Scratch<T>&, Index first, Index last);
    void (*move)(const Step<T>&, Index first, Index last);
    void (*shorten)(const Step<T>&, int layer, Index first, Index last, bool gradient);
    void (*measure)(const Step<T>&, Index first, Index last);
    void (*predict)(const Step<T>&, Scratch<T>&, Index first, Index last, Link link, T* out);
    bool (*evaluate)(const char* name, const T* x, T* y, Index n, T setting);
    void (*augment)(const AugmentationSpec&, const Stream&, Index row, const T* from, T* to, T* workspace);
};

}  // namespace chainrule
