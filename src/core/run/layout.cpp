// What a trainer makes before its first step: the layers' places in the workspace, the phases of a step, the scratch of
// each thread.
#include <algorithm>
#include <iterator>

#include "run/trainer.hpp"

namespace chainrule {

// Number the tiles, and give every layer its places in the workspace.
template <class T> void Trainer<T>::lay_out() {
    for (const LayerSpec& s : spec_.layers) whole_ |= s.norm == BATCH_NORM;
    const Index side = PANEL<T>, most = whole_ ? spec_.recipe.part : WAVE,
                stride = std::min<Index>(round_up(spec_.batch, 8), round_up(most, 8)) * side;
    capacity_ = stride / side;
    wave_ = whole_ ? spec_.recipe.part : capacity_;
    Index inputs = spec_.inputs;
    cost_.push_back(0);
    if (capacity_) x_ = buffers_.emplace_back(static_cast<std::size_t>(panels(inputs, side) * stride)).get();
    for (const LayerSpec& s : spec_.layers) {
        lay_out(s, inputs, stride);
        inputs = s.outputs;
    }
    slots_ = tiles_;
    for (Layer<T>& layer : layers_)
        for (Units<T>& units : layer.units) {
            units.slot = slots_;
            slots_ += units.at < 0 ? 0 : panels(layer.outputs, side);
        }
    plan_phases();
}

template <class T> void Trainer<T>::lay_out(const LayerSpec& s, Index inputs, Index stride) {
    const auto take = [this](Index count) { return buffers_.emplace_back(static_cast<std::size_t>(count)).get(); };
    const Index side = PANEL<T>, across = panels(s.outputs, side), down = panels(inputs, side);
    Layer<T> layer{};
    copy_fields(s, layer);
    layer.inputs = inputs;
    layer.range = static_cast<T>(s.highest - s.lowest);
    layer.sloped = layer.activation || layer.live || layer.dropped != 0;
    layer.first_tile = tiles_;
    layer.width = inputs * s.outputs > LARGE ? across : 1;
    widest_tile_ = std::max(widest_tile_, layer.width * side);
    layer.packed = take((across * inputs + side) * side);
    const Index places[UNIT_PARAMETERS] = {s.biases, s.scales, s.shifts, s.slopes};
    for (int k = 0; k < UNIT_PARAMETERS; ++k) {
        layer.units[k].at = places[k];
        layer.units[k].packed = take(across * side);
        if (capacity_) layer.units[k].gradient = take(across * side);
    }
    if (capacity_) {
        if (!layers_.empty()) layer.transposed = take(down * s.outputs * side);
        layer.y = take(across * stride);
        layer.d = take(across * stride);
        if (s.slopes != ABSENT) layer.e = take(across * stride);
        if (s.norm) layer.normal = take(across * stride);
        if (s.norm) layer.inverse = take(s.norm == LAYER_NORM ? stride : across * side);
        if (s.norm == LAYER_NORM) layer.upstream = take(across * stride);
        if (s.norm == BATCH_NORM) layer.batch_mean = take(across * side), layer.batch_variance = take(across * side);
        if (s.norm == BATCH_NORM)
            layer.settled_mean = take(across * side), layer.settled_variance = take(across * side);
        if (spec_.batch > std::min<Index>(DEPTH, wave_) || spec_.recipe.clip >= CLIP_NORM)
            layer.gradient = take(across * down * side * side);
    }
    const Index tiles = panels(across, layer.width) * down, wide = layer.width * side;
    for (Index t = 0; t < tiles; ++t) {
        const Index rows = std::min(side, inputs - t % down * side),
                    columns = std::min(wide, s.outputs - t / down * wide);
        cost_.push_back(cost_.back() + rows * panels(columns, side / 2) + 8);
    }
    products_ += inputs * s.outputs;
    tiles_ += tiles;
    layers_.push_back(layer);
}

// Forward to each batch normalisation and through its columns, to the loss and back to the last of them, and so on.
template <class T> void Trainer<T>::plan_phases() {
    const int layers = static_cast<int>(layers_.size());
    std::vector<int> stops;
    for (int l = 0; l < layers; ++l)
        if (layers_[l].norm == BATCH_NORM) stops.push_back(l);
    int from = 0;
    for (const int stop : stops) {
        learning_.push_back({false, false, from, stop});
        learning_.push_back({true, false, stop, stop});
        from = stop + 1;
    }
    learning_.push_back({false, false, from, layers});
    for (std::size_t k = stops.size(); k-- > 0;) {
        learning_.push_back({true, true, stops[k], stops[k]});
        if (stops[k] > 0) learning_.push_back({false, true, stops[k], k ? stops[k - 1] : 0});
    }
}

// Each thread's own memory, in cache lines of its own.
template <class T> void Trainer<T>::make_scratch(int threads) {
    Index widest = spec_.inputs;
    for (const LayerSpec& s : spec_.layers) widest = std::max(widest, s.outputs);
    const Index side = PANEL<T>, layer = capacity_ ? 0 : BLOCK * round_up(widest, side);
    const Index lanes = capacity_ ? round_up(spec_.layers.back().outputs, side) * side / 2 : 0;
    const Index tile = capacity_ ? widest_tile_ * side : 0, row = capacity_ ? round_up(spec_.inputs, side) : 0;
    Index work = 0;
    for (const AugmentationSpec& a : spec_.recipe.augmentations) work = std::max(work, a.workspace<T>());
    const Index sizes[] = {tile, BLOCK * side, lanes, lanes, lanes, row, row, row, round_up(work, side), layer, layer};
    while (static_cast<int>(scratch_.size()) < threads) {
        Index total = 0;
        for (const Index size : sizes) total += size;
        T *next = buffers_.emplace_back(static_cast<std::size_t>(total)).get(), *at[std::size(sizes)];
        for (std::size_t k = 0; k < std::size(sizes); next += sizes[k++]) at[k] = next;
        scratch_.push_back({at[0], at[1], at[2], at[3], at[4], {at[5], at[6], at[7]}, at[8], {at[9], at[10]}, nullptr});
    }
}

#define INSTANTIATE(T)                                                 \
    template void Trainer<T>::lay_out();                               \
    template void Trainer<T>::lay_out(const LayerSpec&, Index, Index); \
    template void Trainer<T>::plan_phases();                           \
    template void Trainer<T>::make_scratch(int);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace chainrule
