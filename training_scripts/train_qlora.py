"""Fine-tune a language model on chat examples with QLoRA: a SageMaker training job, or by hand.

    SM_CHANNEL_TRAIN=data/train SM_MODEL_DIR=model python train_qlora.py --base_model HuggingFaceTB/SmolLM2-135M-Instruct

Reads JSONL lines {"messages": [{"role", "content", "train"?}, ...]}. Assistant messages bear loss, on their content and
the token that ends the turn, unless "train" is false. Writes the adapter, the tokenizer and manifest.json to SM_MODEL_DIR.
Progress is one JSON object a line on stdout. Everything else goes to stderr.
"""

from __future__ import annotations

import os
import signal
import time

import transformers

from job.environment import base_model_source, read_environment, work_folder
from job.errors import TrainingInputError
from job.output import claim_stdout, print_resolved, say
from job.progress import ProgressLines
from job.settings import read_settings
from job.stopping import StopSignal
from model_code.hugging_face_token import fetch_hugging_face_token
from qlora.adapter import add_adapter, best_adapter
from qlora.base_model import check_base_model, load_base_model, load_tokenizer
from qlora.epochs import Epochs, mean_training_loss
from qlora.every_gpu import relaunch_on_every_gpu
from qlora.examples import check_channel, load_examples, pad_batch
from qlora.model_folder import save_adapter, save_merged
from qlora.settings import MAY_DIFFER, QloraSettings, check_settings
from qlora.trainer import DecisionTrainer, NextVersion, Sealing, training_arguments
from saving.checkpoints import Checkpoints, run_fingerprint
from saving.manifest import write_manifest

PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "accelerate", "tokenizers", "safetensors")


def main() -> None:
    """Tell the story: arguments, data, model, train, save. What can be refused at once is checked before what takes long."""
    began = time.monotonic()
    settings, job = read_settings(QloraSettings, description=str(__doc__)), read_environment()
    check_settings(settings)
    source = base_model_source(settings.base_model, job)
    relaunch_on_every_gpu(__file__, job=job)
    stop = StopSignal()
    progress = ProgressLines(claim_stdout(), is_printer=int(os.environ.get("RANK", "0")) == 0)
    print_resolved(settings, job)
    with work_folder(job) as work:
        arguments = training_arguments(settings, work, saves=job.checkpoint_dir is not None)
        check_channel(job.train, versions=settings.data_versions)
        if job.validation:
            check_channel(job.validation)

        fetch_hugging_face_token()
        config = check_base_model(source, settings)
        context = getattr(config, "max_position_embeddings", None)
        tokenizer = load_tokenizer(source, settings, vocabulary=config.vocab_size)
        train = load_examples(
            job.train, tokenizer, settings.max_length, versions=settings.data_versions, context_length=context
        )
        validation = None
        if job.validation:
            validation = load_examples(job.validation, tokenizer, settings.max_length, context_length=context)

        read = (example._asdict() for example in train.all_versions())
        fingerprint = run_fingerprint(settings, source, read, may_differ=MAY_DIFFER)
        checkpoints = Checkpoints(work, fingerprint, limit=settings.save_total_limit)
        resume_from = checkpoints.newest()

        model = add_adapter(load_base_model(source, settings, arguments.device), settings)
        metric = settings.metric_for_best_model
        best = best_adapter(model, work / "best", forget=resume_from is None, metric=metric)
        epochs = Epochs(best, validation, settings.per_device_eval_batch_size, progress, stop)

        trainer = DecisionTrainer(
            model=model,
            args=arguments,
            train_dataset=train,
            data_collator=pad_batch,
            callbacks=[NextVersion(train), progress, Sealing(checkpoints), epochs, stop],
        )
        trainer.remove_callback(transformers.PrinterCallback)  # it prints Python dicts to stdout
        trainer.train(resume_from_checkpoint=None if resume_from is None else str(resume_from))
        if stop.requested and trainer.state.global_step < trainer.state.max_steps:
            say(f"Stopped by SIGTERM after step {trainer.state.global_step}; a resumed job goes on from there.")
            raise SystemExit(128 + signal.SIGTERM)
        epochs.measure_if_not_yet(model, arguments, trainer.state)

        if trainer.is_world_process_zero():
            metrics = {"train_loss": mean_training_loss(trainer.state.log_history), **epochs.metrics()}
            if settings.load_best_model_at_end:
                metrics |= best.restore()
            save_adapter(model, tokenizer, settings, job.model_dir)
            if settings.merge_weights:
                save_merged(source, settings, tokenizer, job.model_dir)
            write_manifest(
                job.model_dir / "manifest.json",
                settings,
                job,
                of_the_model={"answers": settings.answers or "names", "merged": settings.merge_weights},
                of_the_training={
                    "rows": {"train": len(train), "validation": None if validation is None else len(validation)},
                    "tokens": trainer.state.num_input_tokens_seen,
                    "seconds": round(time.monotonic() - began, 1),
                },
                packages=PACKAGES,
                metrics=metrics,
            )


if __name__ == "__main__":
    try:
        main()
    except TrainingInputError as problem:
        # One line: SageMaker's failure reason is made of the lines from the first that names an error.
        say(f"{type(problem).__name__}: {problem}")
        raise SystemExit(1) from None
