"""Fine-tune a sentence encoder to choose, on chat examples: a SageMaker training job, or by hand.

    SM_CHANNEL_TRAIN=data/train SM_MODEL_DIR=model python train_encoder.py --base_model sentence-transformers/all-MiniLM-L6-v2

Reads JSONL lines {"messages": [{"role", "content", "train"?}, ...], "choices": [name, ...]}. Each assistant message is one of
the choices, and one decision to learn unless "train" is false. Writes choice_encoder.safetensors, choice_encoder.json and
manifest.json to SM_MODEL_DIR. Progress is one JSON object a line on stdout. Everything else goes to stderr.
"""

from __future__ import annotations

import time

from encoder_training.base_model import check_is_encoder, load_encoder
from encoder_training.decisions import load_decisions
from encoder_training.learning import learn
from encoder_training.measuring import calibrate
from encoder_training.run import EncoderRun
from encoder_training.schedule import scheduled
from encoder_training.settings import MAY_DIFFER, EncoderSettings
from job.environment import base_model_source, read_environment, work_folder
from job.errors import TrainingInputError
from job.output import claim_stdout, print_resolved, say
from job.progress import ProgressLines
from job.records import channel_sha256
from job.settings import check_numbers, read_settings
from job.stopping import StopSignal
from model_code.hugging_face_token import fetch_hugging_face_token
from saving.best_epoch import BestEpoch
from saving.checkpoints import Checkpoints, run_fingerprint
from saving.manifest import write_manifest

PACKAGES = ("torch", "transformers", "tokenizers", "safetensors")


def main() -> None:
    """Tell the story: arguments, data, model, train, calibrate, save. What can be refused at once is checked first."""
    began = time.monotonic()
    settings, job = read_settings(EncoderSettings, description=str(__doc__)), read_environment()
    check_numbers(settings)
    source = base_model_source(settings.base_model, job)
    stop = StopSignal()
    progress = ProgressLines(claim_stdout(), is_printer=True)
    print_resolved(settings, job)
    if job.num_gpus > 1:
        say(f"One of the {job.num_gpus} GPUs is used.")
    with work_folder(job) as work:
        fetch_hugging_face_token()
        check_is_encoder(source, settings)
        train = load_decisions(job.train, fallback=settings.fallback, versions=settings.data_versions)
        validation = load_decisions(job.validation, fallback=settings.fallback) if job.validation else None
        schedule = scheduled(train, settings)
        fingerprint = run_fingerprint(settings, source, [channel_sha256(job.train)], may_differ=MAY_DIFFER)
        checkpoints = Checkpoints(work, fingerprint, limit=settings.save_total_limit) if job.checkpoint_dir else None
        resume_from = checkpoints.newest() if checkpoints else None

        model = load_encoder(source, settings)
        best = BestEpoch(
            work / "best",
            save=model.save,
            restore=model.load_trained,
            forget=resume_from is None,
            metric=settings.metric_for_best_model,
        )
        run = EncoderRun(model, schedule, settings)
        if resume_from is not None:
            run.load(resume_from)
        metrics = learn(run, validation, best, checkpoints=checkpoints, progress=progress, stop=stop)
        if settings.load_best_model_at_end:
            metrics |= best.restore()
        if settings.calibrate and validation is not None:
            metrics |= calibrate(model, validation, settings)
        model.save(job.model_dir)
        write_manifest(
            job.model_dir / "manifest.json",
            settings,
            job,
            of_the_model={"kind": "encoder", "fallback": settings.fallback},
            of_the_training={
                "rows": {"train": train.rows, "validation": None if validation is None else validation.rows},
                "decisions": run.decisions_read,
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
