// Testbench of snntb-adsnn: runs images through the C++ and compares every spike, every state word and every output
// with the golden model. Usage: testbench [vectors]; "-" reads standard input. Exit code 1 on any difference.
//
// Vectors, all int64, little endian: magic, images, steps, input words, words of a step; then for each image its input
// words, and for each step the words of each stage (spikes, I, V, S_hat, theta_a; the read-out: I, V), then the outputs.

#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "firmware/@PROJECT@.h"
#include "firmware/nnet_utils/nnet_asn_probe.h"

@SWITCHES@

namespace nnet {
bool trace_enabled = false;
std::map<std::string, void *> *trace_outputs = NULL;
size_t trace_type_size = sizeof(double);
} // namespace nnet

namespace {

typedef long long word_t;
const word_t MAGIC = 0x314e53414453LL; // "SDASN1"
const unsigned INPUTS = @INPUTS@, OUTPUTS = @OUTPUTS@, STEPS = @STEPS@, STEP_WORDS = @STEP_WORDS@;
const unsigned STAGES = @STAGES@, QUANTITIES = 5;
const char *const STAGE_NAMES[STAGES] = {@STAGE_NAMES@};
const char *const QUANTITY_NAMES[QUANTITIES] = {"spikes", "I", "V", "S_hat", "theta_a"};
// number of words of each stage and quantity in a step
const unsigned SIZES[STAGES][QUANTITIES] = {@SIZES@};
const unsigned SHOWN = 10;

std::vector<word_t> expected;                      // of this image
unsigned steps;                                    // in the vectors; at most STEPS
unsigned image = 0, step = 0;
unsigned offsets[STAGES][QUANTITIES], output_offset;
unsigned long long compared[STAGES][QUANTITIES], wrong[STAGES][QUANTITIES], compared_outputs = 0, wrong_outputs = 0, shown = 0;

void report(const char *stage, const char *quantity, unsigned t, unsigned index, word_t got, word_t golden) {
    if (shown++ < SHOWN)
        std::printf("image %u, step %u: %s %s[%u] is %lld, the golden model has %lld\n", image, t, stage, quantity, index, got,
                    golden);
}

#ifndef RTL_SIM
void look(unsigned stage, nnet::asn_quantity quantity, unsigned t, unsigned index, long long word) {
    t += step;
    if (t >= steps)
        return;
    if (stage >= STAGES || index >= SIZES[stage][quantity]) {
        report("unknown", "word", t, index, word, 0);
        wrong_outputs++;
        return;
    }
    const word_t golden = expected[static_cast<size_t>(t) * STEP_WORDS + offsets[stage][quantity] + index];
    compared[stage][quantity]++;
    if (word != golden) {
        wrong[stage][quantity]++;
        report(STAGE_NAMES[stage], QUANTITY_NAMES[quantity], t, index, word, golden);
    }
}
#endif

void check_output(unsigned t, unsigned index, const @OUTPUT_T@ &value) {
    if (t >= steps)
        return;
    const word_t word = nnet::asn_word(value);
    const word_t golden = expected[static_cast<size_t>(t) * STEP_WORDS + output_offset + index];
    compared_outputs++;
    if (word != golden) {
        wrong_outputs++;
        report(STAGE_NAMES[STAGES - 1], "output", t, index, word, golden);
    }
}

@INPUT_T@ input_word(word_t word) {
    @INPUT_T@ pixel;
    pixel.range(@INPUT_T@::width - 1, 0) = static_cast<unsigned long long>(word);
    return pixel;
}

@RUN@

bool read_words(std::FILE *file, std::vector<word_t> &words, size_t n) {
    words.resize(n);
    return n == 0 || std::fread(&words[0], sizeof(word_t), n, file) == n;
}

} // namespace

int main(int argc, char **argv) {
    const char *path = argc > 1 ? argv[1] : "tb_data/golden.bin";
    std::FILE *file = std::strcmp(path, "-") == 0 ? stdin : std::fopen(path, "rb");
    std::vector<word_t> header;
    if (!file || !read_words(file, header, 5) || header[0] != MAGIC) {
        std::printf("FAILED: %s is missing or holds no test vectors\n", path);
        return 1;
    }
    if (header[1] < 1 || header[2] < 1 || header[2] > STEPS || header[3] != INPUTS || header[4] != STEP_WORDS) {
        std::printf("FAILED: %s was written for another network\n", path);
        return 1;
    }
    steps = static_cast<unsigned>(header[2]);
    for (unsigned s = 0; s < STAGES; s++)
        for (unsigned q = 0; q < QUANTITIES; q++) {
            offsets[s][q] = output_offset;
            output_offset += SIZES[s][q];
        }
#ifndef RTL_SIM
    nnet::asn_probe() = look;
#endif
    std::vector<word_t> pixels;
    for (image = 0; image < header[1]; image++) {
        if (!read_words(file, pixels, INPUTS) || !read_words(file, expected, static_cast<size_t>(steps) * STEP_WORDS)) {
            std::printf("FAILED: %s ends in the middle of image %u\n", path, image);
            return 1;
        }
        run(pixels);
        std::fflush(stdout);
    }

    unsigned long long all = compared_outputs, mismatches = wrong_outputs;
    for (unsigned s = 0; s < STAGES; s++)
        for (unsigned q = 0; q < QUANTITIES; q++) {
            if (SIZES[s][q] == 0)
                continue;
            std::printf("%s %s: %llu words compared, %llu wrong\n", STAGE_NAMES[s], QUANTITY_NAMES[q], compared[s][q], wrong[s][q]);
            all += compared[s][q];
            mismatches += wrong[s][q];
        }
    std::printf("outputs: %llu words compared, %llu wrong\n", compared_outputs, wrong_outputs);
#ifdef RTL_SIM
    const unsigned long long due = static_cast<unsigned long long>(header[1]) * steps * OUTPUTS; // no view into RTL
#else
    const unsigned long long due = static_cast<unsigned long long>(header[1]) * steps * STEP_WORDS;
#endif
    const bool passed = mismatches == 0 && all == due;
    if (all != due)
        std::printf("%llu words were due, %llu were compared\n", due, all);
    std::printf("%s: images %lld, compared %llu, mismatches %llu\n", passed ? "PASSED" : "FAILED", header[1], all, mismatches);
    return passed ? 0 : 1;
}
